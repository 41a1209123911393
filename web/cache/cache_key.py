"""What an answer depends on: the question, as it was sent, and who asks, at which revision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from starlette.types import Scope

from models.accounts.abilities import Ability
from models.accounts.viewer import Protocol, Viewer

READS = ("GET", "HEAD")

_VARY = {
    Protocol.REST: (b"vary", b"Authorization"),
    Protocol.GRAPHQL: (b"vary", b"Authorization, Accept"),
}

Headers = Sequence[tuple[bytes, bytes]]
Words = tuple[str, str, str, bytes, bytes, bytes, bytes]
Key = tuple[int, int, frozenset[Ability], Words]


class Wording(NamedTuple):
    """A question without whoever asks it."""

    words: Words
    """Method, scheme, path, query, body, Host, Accept."""
    vary: tuple[bytes, bytes] | None
    """The header of a tagged answer; None for a question by POST, whose answer has no tag."""
    condition: bytes
    """`If-None-Match`, empty without one."""
    spelled: bytes
    """The words again, for a tag; empty where there is none."""

    @classmethod
    def of(cls, scope: Scope, protocol: Protocol, body: bytes = b"") -> Wording:
        """What a request asks. REST's answers do not depend on `Accept`, and HEAD is answered as GET."""
        headers = scope["headers"]
        given = dict(headers)
        if len(given) != len(headers):
            given = _joined(headers)
        reads = scope["method"] in READS
        words = (
            "GET" if reads else scope["method"],
            scope["scheme"],
            scope["path"],
            scope["query_string"],
            body,
            given.get(b"host", b""),
            given.get(b"accept", b"") if protocol is Protocol.GRAPHQL else b"",
        )
        if not reads:
            return cls(words, None, b"", b"")
        return cls(words, _VARY[protocol], given.get(b"if-none-match", b""), repr(words).encode())


class Question:
    """Everything that an answer depends on, and what the client has already."""

    __slots__ = ("key", "tag", "wording")

    def __init__(self, key: Key, wording: Wording) -> None:
        """`key` is the user's id, the revision, the abilities and the words."""
        self.key = key
        self.wording = wording
        self.tag: tuple[object, bytes] | None = None
        """The tag of what answers it and whose tag it is, as soon as somebody has worked it out."""

    @classmethod
    def by(cls, viewer: Viewer, wording: Wording) -> Question:
        """What a viewer asks with these words."""
        return cls((viewer.user_id, viewer.revision, viewer.abilities, wording.words), wording)


def _joined(headers: Headers) -> dict[bytes, bytes]:
    """The headers by name, those of one name joined as RFC 9110, 5.3 allows."""
    given: dict[bytes, bytes] = {}
    for name, value in headers:
        given[name] = given[name] + b", " + value if name in given else value
    return given
