"""Finished answers, kept as bytes for as long as the user's revision stands: the same question, the same answer.

The lookup that authenticates a request brings the revision, which the database raises with every change that a read
could show, bulk statements included. It is part of the question, so what is kept is never older than the request that
gets it: nothing runs out, and no process has to tell another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from sys import getsizeof
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.entity_tags import EntityTags, matches
from models.viewer import Protocol, Viewer

READS = ("GET", "HEAD")
LARGEST_PART = 16
"""An answer larger than this part of the whole is not kept: it would push too many others out."""
BESIDE_TEXTS = 800
"""Bytes that a kept answer takes besides its key's texts, its headers and its body, as measured."""

_ANY = b"*"
_CACHING = (b"cache-control", b"private, max-age=0, must-revalidate")
_VARY = {
    Protocol.REST: (b"vary", b"Authorization"),
    Protocol.GRAPHQL: (b"vary", b"Authorization, Accept"),
}
_OURS = frozenset({b"cache-control", b"vary", b"etag"})

Headers = Sequence[tuple[bytes, bytes]]
Key = tuple[int, int, frozenset[str], str, str, str, bytes, bytes, bytes, bytes]


class Question(NamedTuple):
    """Everything that an answer depends on, and what the client has already."""

    key: Key
    """User id, revision, abilities, method, scheme, path, query, body, Host, Accept."""
    vary: tuple[bytes, bytes] | None
    """The header of a tagged answer; None for a question by POST, whose answer has no tag."""
    condition: bytes
    """`If-None-Match`, empty without one."""


class KeptAnswer:
    """A whole answer that can be sent any number of times."""

    __slots__ = ("_body", "_headers", "_status", "tag")

    def __init__(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, tag: bytes) -> None:
        self._status = status
        self._headers = tuple(headers)  # nobody it is sent through can change it
        self._body = body
        self.tag = tag

    @property
    def bytes(self) -> int:
        """The memory that its texts take."""
        return getsizeof(self._body) + sum(getsizeof(value) for _, value in self._headers)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


class _Shelf:
    """The keys of one user's answers, which are all of one revision."""

    __slots__ = ("keys", "revision")

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.keys: set[Key] = set()


class ResponseCache:
    """The answers of one process, least recently used first, within a number of bytes; 0 keeps none, and tags stay."""

    def __init__(self, max_bytes: int, tags: EntityTags) -> None:
        self._max_bytes = max_bytes
        self._tags = tags
        self._kept: OrderedDict[Key, KeptAnswer] = OrderedDict()
        self._shelves: dict[int, _Shelf] = {}
        self.bytes = 0
        self.hits = self.misses = self.not_modified = self.evictions = 0

    def __len__(self) -> int:
        """How many answers are kept."""
        return len(self._kept)

    def outcomes(self) -> dict[str, float]:
        """How often a read was answered from here, had to be found out, or was nothing new to the client."""
        return {"hit": self.hits, "miss": self.misses, "not modified": self.not_modified}

    def question(self, viewer: Viewer, scope: Scope, body: bytes = b"") -> Question:
        """What a viewer asks. REST's answers do not depend on `Accept`, and HEAD is answered as GET."""
        headers = scope["headers"]
        given = dict(headers)
        if len(given) != len(headers):
            given = _joined(headers)
        protocol = viewer.protocol
        reads = scope["method"] in READS
        key = (
            viewer.user_id,
            viewer.revision,
            viewer.abilities,
            "GET" if reads else scope["method"],
            scope["scheme"],
            scope["path"],
            scope["query_string"],
            body,
            given.get(b"host", b""),
            given.get(b"accept", b"") if protocol is Protocol.GRAPHQL else b"",
        )
        return Question(key, _VARY[protocol] if reads else None, given.get(b"if-none-match", b"") if reads else b"")

    def known(self, question: Question) -> KeptAnswer | None:
        """The answer, when it is kept or the client has it; None when it has to be found out."""
        key = question.key
        shelf = self._shelves.get(key[0])
        if shelf is not None and shelf.revision != key[1]:
            self._forget(shelf, key[0])
        kept = self._kept.get(key)
        if question.vary is not None and question.condition and self._client_has(question, kept):
            self.not_modified += 1
            return _unchanged(question.vary, self._tag_of(key) if kept is None else kept.tag)
        if kept is not None:
            self.hits += 1
            self._kept.move_to_end(key)
        return kept

    def keep(self, question: Question, response: Response) -> ASGIApp:
        """What to send for a response that was found out; a success is kept."""
        if response.status_code != 200:
            return response
        return self.finish(question, response.raw_headers, bytes(response.body))

    def finish(self, question: Question, headers: Headers, body: bytes) -> KeptAnswer:
        """What to send for a success, which is kept: its bytes with a tag, or a 304 to who asked for anything new."""
        self.misses += 1
        tag = b""
        if question.vary is not None:
            tag = self._tag_of(question.key)
            headers = [header for header in headers if header[0] not in _OURS]
            headers += [_CACHING, question.vary, (b"etag", tag)]
        answer = KeptAnswer(200, headers, body, tag)
        self._store(question.key, answer)
        if question.vary is not None and question.condition.strip() == _ANY:
            self.not_modified += 1
            return _unchanged(question.vary, tag)
        return answer

    def _client_has(self, question: Question, kept: KeptAnswer | None) -> bool:
        """Whether nothing needs to be sent. `*` is any answer there is, which only a kept one is known to be."""
        if question.condition.strip() == _ANY:
            return kept is not None
        return matches(question.condition, self._tag_of(question.key) if kept is None else kept.tag)

    def _tag_of(self, key: Key) -> bytes:
        user_id, revision, abilities, *others = key
        return self._tags.of((user_id, revision, sorted(map(str, abilities)), *others))

    def _store(self, key: Key, answer: KeptAnswer) -> None:
        size = _size(key, answer)
        user_id, revision = key[:2]
        shelf = self._shelves.get(user_id)
        if size > self._max_bytes // LARGEST_PART or (shelf is not None and shelf.revision > revision):
            return  # too large, or a change has overtaken the read: nobody will ask for this revision again
        if shelf is not None and shelf.revision < revision:
            self._forget(shelf, user_id)
            shelf = None
        if shelf is None:
            shelf = self._shelves[user_id] = _Shelf(revision)
        elif key in self._kept:
            return  # a request beside this one was first
        shelf.keys.add(key)
        self._kept[key] = answer
        self.bytes += size
        while self.bytes > self._max_bytes:
            self._evict()

    def _evict(self) -> None:
        key, answer = self._kept.popitem(last=False)
        self.bytes -= _size(key, answer)
        self.evictions += 1
        shelf = self._shelves[key[0]]
        shelf.keys.discard(key)
        if not shelf.keys:
            del self._shelves[key[0]]

    def _forget(self, shelf: _Shelf, user_id: int) -> None:
        for key in shelf.keys:
            self.bytes -= _size(key, self._kept.pop(key))
        del self._shelves[user_id]


def _size(key: Key, answer: KeptAnswer) -> int:
    return BESIDE_TEXTS + answer.bytes + sum(map(getsizeof, key[3:]))


def _joined(headers: Headers) -> dict[bytes, bytes]:
    """The headers by name, those of one name joined as RFC 9110, 5.3 allows."""
    given: dict[bytes, bytes] = {}
    for name, value in headers:
        given[name] = given[name] + b", " + value if name in given else value
    return given


def _unchanged(vary: tuple[bytes, bytes], tag: bytes) -> KeptAnswer:
    return KeptAnswer(304, (_CACHING, vary, (b"etag", tag)), b"", tag)
