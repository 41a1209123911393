"""Finished answers, kept as bytes for as long as the user's revision stands: the same question, the same answer.

The lookup that authenticates a request brings the revision, which the database raises with every change that a read
could show, bulk statements included. It is part of the question, so what is kept is never older than the request that
gets it: nothing runs out, and no process has to tell another.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache, lru_cache
from http import HTTPStatus
from sys import getsizeof

from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from models.accounts.viewer import Viewer
from web.cache.cache_key import Headers, Key, Question, Wording
from web.cache.cached_response import OK, KeptAnswer, Sort
from web.cache.etags import EntityTags, matches
from web.middleware.default_headers import Header

LARGEST_PART = 16
"""An answer larger than this part of the whole is not kept: it would push too many others out."""
BESIDE_TEXTS = 800
"""Bytes that a kept answer takes besides its key's texts, its headers and its body, as measured."""

_SORTS = 64
_ANY = b"*"
_CACHING = (b"cache-control", b"private, max-age=0, must-revalidate")
_OURS = frozenset({b"cache-control", b"vary", b"etag"})


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
        """What a viewer asks; a request that was seen before brings it along, others leave their words in the scope."""
        known: Question | None = scope.get("question")
        if known is None:
            wording = scope["wording"] = Wording.of(scope, viewer.protocol, body)
            known = Question.by(viewer, wording)
        return known

    def keeps(self, question: Question) -> bool:
        """Whether its answer is kept, which is not counted."""
        return bool(self._kept) and question.key in self._kept

    def known(self, question: Question) -> KeptAnswer | None:
        """The answer, when it is kept or the client has it; None when it has to be found out."""
        key = question.key
        shelf = self._shelves.get(key[0])
        if shelf is not None and shelf.revision != key[1]:
            self._forget(shelf, key[0])
        kept = self._kept.get(key)
        vary, condition = question.wording.vary, question.wording.condition
        if condition and vary is not None and self._client_has(condition, question, kept):
            self.not_modified += 1
            return _unchanged(vary, self._tags.of(question) if kept is None else kept.tag)
        if kept is not None:
            self.hits += 1
            self._kept.move_to_end(key)
        return kept

    def keep(self, question: Question, response: Response) -> ASGIApp:
        """What to send for a response that was found out; a success is kept."""
        if response.status_code != OK:
            return response
        return self.finish(question, response.raw_headers, bytes(response.body))

    def finish(self, question: Question, headers: Headers, body: bytes) -> KeptAnswer:
        """What to send for a success, which is kept: its bytes with a tag, or a 304 to who asked for anything new."""
        without_length = tuple(header for header in headers if header[0] != b"content-length")
        return self.answer(question, sort_of(without_length, question.wording.vary), body)

    def answer(self, question: Question, sort: Sort, body: bytes) -> KeptAnswer:
        """As `finish`, for an answer of a known sort."""
        self.misses += 1
        vary = question.wording.vary
        tag = b"" if vary is None else self._tags.of(question)
        answer = KeptAnswer(sort, body, tag)
        self._store(question.key, answer)
        if vary is not None and question.wording.condition.strip() == _ANY:
            self.not_modified += 1
            return _unchanged(vary, tag)
        return answer

    def _client_has(self, condition: bytes, question: Question, kept: KeptAnswer | None) -> bool:
        """Whether nothing needs to be sent. `*` is any answer there is, which only a kept one is known to be."""
        if condition.strip() == _ANY:
            return kept is not None
        return matches(condition, self._tags.of(question) if kept is None else kept.tag)

    def _store(self, key: Key, answer: KeptAnswer) -> None:
        largest = self._max_bytes // LARGEST_PART
        if len(answer.body) > largest:
            return
        answer.prepare()
        size = _size(key, answer)
        user_id, revision = key[:2]
        shelf = self._shelves.get(user_id)
        if size > largest or (shelf is not None and shelf.revision > revision):
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
    return BESIDE_TEXTS + answer.bytes + sum(map(getsizeof, key[3]))


@lru_cache(maxsize=_SORTS)
def sort_of(headers: tuple[Header, ...], vary: Header | None) -> Sort:
    """The sort of a success with these headers and its length.

    One that has a tag says for itself how it may be kept, and what it varies with.
    """
    if vary is None:
        return Sort(OK, headers, is_tagged=False)
    others = (header for header in headers if header[0] not in _OURS)
    return Sort(OK, (*others, _CACHING, vary), is_tagged=True)


@cache
def _sort_unchanged(vary: Header) -> Sort:
    return Sort(HTTPStatus.NOT_MODIFIED, (_CACHING, vary), is_tagged=True)


def _unchanged(vary: Header, tag: bytes) -> KeptAnswer:
    return KeptAnswer(_sort_unchanged(vary), b"", tag)
