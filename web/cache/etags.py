"""Entity tags (RFC 9110, 8.8.3) made from the question instead of the answer, so that a 304 needs no read.

A user's revision is part of the question and rises with every change a read could show: the same question has the same
answer. A tag that somebody made up tells him at most that nothing has changed.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version

from models.accounts.abilities import Ability
from web.cache.cache_key import Question

_DIGEST_BYTES = 16


class EntityTags:
    """The tags of one version of the gateway, the same in all its processes and on every machine."""

    def __init__(self, *, public_url: str | None) -> None:
        self._beginning = repr((version("moorings"), public_url)).encode()

    def of(self, question: Question) -> bytes:
        """The strong tag, quotes included, of what answers the question; worked out once."""
        if question.tag is not None and question.tag[0] is self:
            return question.tag[1]
        user_id, revision, abilities, _ = question.key
        who = b"%d %d%s" % (user_id, revision, _spelled(abilities))
        spelled = b"%s%s%s" % (self._beginning, who, question.wording.spelled)
        tag = b'"%s"' % blake2b(spelled, digest_size=_DIGEST_BYTES).hexdigest().encode()
        question.tag = self, tag
        return tag


@lru_cache(maxsize=64)
def _spelled(abilities: frozenset[Ability]) -> bytes:
    return repr(sorted(map(str, abilities))).encode()


def matches(condition: bytes, tag: bytes) -> bool:
    """Whether an `If-None-Match` other than `*` names the tag; compared weakly (RFC 9110, 13.1.2).

    Between quotes stands nothing but hexadecimal digits, so that what looks like the tag in a list of tags is it.
    """
    return tag in condition
