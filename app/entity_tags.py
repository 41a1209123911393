"""Entity tags (RFC 9110, 8.8.3) made from the question instead of the answer, so that a 304 needs no read.

A user's revision is part of the question and rises with every change a read could show: the same question has the same
answer. A tag that somebody made up tells him at most that nothing has changed.
"""

from __future__ import annotations

from hashlib import blake2b
from importlib.metadata import version

_DIGEST_BYTES = 16


class EntityTags:
    """The tags of one version of the gateway, the same in all its processes and on every machine."""

    def __init__(self, *, public_url: str | None) -> None:
        self._beginning = repr((version("moorings"), public_url)).encode()

    def of(self, question: tuple[object, ...]) -> bytes:
        """The strong tag, quotes included, of what answers the question; its parts are plain values."""
        return (
            b'"%s"' % blake2b(self._beginning + repr(question).encode(), digest_size=_DIGEST_BYTES).hexdigest().encode()
        )


def matches(condition: bytes, tag: bytes) -> bool:
    """Whether an `If-None-Match` other than `*` names the tag; compared weakly (RFC 9110, 13.1.2).

    Between quotes stands nothing but hexadecimal digits, so that what looks like the tag in a list of tags is it.
    """
    return tag in condition
