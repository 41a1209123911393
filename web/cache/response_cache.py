"""Responses of reads, kept as bytes for as long as the user's revision stands.

The lookup that authenticates a request brings the revision, which the database raises with every change that a read
could show, bulk statements included. It is part of the key, so a cached response is never older than the request that
gets it: nothing expires, and no process has to tell another.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from http import HTTPStatus
from sys import getsizeof

from starlette.types import Scope

from models.accounts.viewer import Viewer
from web.cache.cache_key import CacheKey, Key, RequestKey
from web.cache.cached_response import CachedResponse, Header
from web.cache.etags import EntityTags, matches
from web.request_state import request_state

LARGEST_PART = 16
"""A response larger than this part of the whole cache is not kept: it would evict too many others."""
OVERHEAD_BYTES = 800
"""Memory of an entry besides its key's texts and its body, as measured."""

_ANY = b"*"
_CACHING = (b"cache-control", b"private, max-age=0, must-revalidate")
_REPLACED = frozenset({b"cache-control", b"vary", b"etag", b"content-length"})


class _UserEntries:
    """The keys of one user's entries, which are all of one revision."""

    __slots__ = ("keys", "revision")

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self.keys: set[Key] = set()


class ResponseCache:
    """Responses of one process, least recently used first, within a number of bytes; with 0, only tags are made."""

    def __init__(self, max_bytes: int, tags: EntityTags) -> None:
        self._max_bytes = max_bytes
        self._tags = tags
        self._entries: OrderedDict[Key, CachedResponse] = OrderedDict()
        self._users: dict[int, _UserEntries] = {}
        self.bytes = 0
        self.hits = self.misses = self.not_modified = self.evictions = 0

    def __len__(self) -> int:
        """How many responses are kept."""
        return len(self._entries)

    def outcomes(self) -> dict[str, float]:
        """Reads answered from here, reads executed, and responses 304, since the start."""
        return {"hit": self.hits, "miss": self.misses, "not modified": self.not_modified}

    def key_of(self, viewer: Viewer, scope: Scope, body: bytes = b"") -> CacheKey:
        """The key of a viewer's request, which stays in the request's state."""
        state = request_state(scope)
        if state.cache_key is None:
            if state.request_key is None:
                state.request_key = RequestKey.of(scope, viewer.protocol, body)
            state.cache_key = CacheKey(viewer, state.request_key)
        return state.cache_key

    def contains(self, key: CacheKey) -> bool:
        """Whether the response is kept, which is not counted."""
        return bool(self._entries) and key.key in self._entries

    def get(self, key: CacheKey, condition: bytes = b"") -> CachedResponse | None:
        """The response, or a 304 when the client's `condition` (`If-None-Match`) holds; None when it must be read."""
        user_id, revision, _, _ = key.key
        entries = self._users.get(user_id)
        if entries is not None and entries.revision != revision:
            self._forget(entries, user_id)
        cached = self._entries.get(key.key)
        vary = key.request.vary
        if condition and vary is not None and self._client_has(condition, key, cached):
            self.not_modified += 1
            return _unchanged(vary, self._tags.of(key) if cached is None else cached.tag)
        if cached is not None:
            self.hits += 1
            self._entries.move_to_end(key.key)
        return cached

    def put(self, key: CacheKey, headers: tuple[Header, ...], body: bytes, condition: bytes = b"") -> CachedResponse:
        """Keep a successful response that was just read; returns what to send: it, or a 304 for the condition `*`."""
        self.misses += 1
        vary = key.request.vary
        tag = b"" if vary is None else self._tags.of(key)
        response = CachedResponse(HTTPStatus.OK, _success_headers(headers, vary), body, tag)
        self._store(key.key, response)
        if vary is not None and condition.strip() == _ANY:
            self.not_modified += 1
            return _unchanged(vary, tag)
        return response

    def _client_has(self, condition: bytes, key: CacheKey, cached: CachedResponse | None) -> bool:
        """Whether nothing needs to be sent. `*` is any response there is, which only a cached one is known to be."""
        if condition.strip() == _ANY:
            return cached is not None
        return matches(condition, self._tags.of(key) if cached is None else cached.tag)

    def _store(self, key: Key, response: CachedResponse) -> None:
        size = _size(key, response)
        user_id, revision = key[:2]
        entries = self._users.get(user_id)
        if size > self._max_bytes // LARGEST_PART or (entries is not None and entries.revision > revision):
            return  # too large, or stale: a change was committed since the read, and no request has this key again
        if entries is not None and entries.revision < revision:
            self._forget(entries, user_id)
            entries = None
        if entries is None:
            entries = self._users[user_id] = _UserEntries(revision)
        elif key in self._entries:
            return  # a concurrent request was first
        entries.keys.add(key)
        self._entries[key] = response
        self.bytes += size
        while self.bytes > self._max_bytes:
            self._evict()

    def _evict(self) -> None:
        key, response = self._entries.popitem(last=False)
        self.bytes -= _size(key, response)
        self.evictions += 1
        entries = self._users[key[0]]
        entries.keys.discard(key)
        if not entries.keys:
            del self._users[key[0]]

    def _forget(self, entries: _UserEntries, user_id: int) -> None:
        for key in entries.keys:
            self.bytes -= _size(key, self._entries.pop(key))
        del self._users[user_id]


def _size(key: Key, response: CachedResponse) -> int:
    return OVERHEAD_BYTES + response.bytes + sum(map(getsizeof, key[3]))


@lru_cache(maxsize=64)
def _success_headers(headers: tuple[Header, ...], vary: Header | None) -> tuple[Header, ...]:
    """The headers of a success; one with an entity tag says for itself how it may be cached, and what it varies by."""
    if vary is None:
        return tuple(header for header in headers if header[0] != b"content-length")
    return (*(header for header in headers if header[0] not in _REPLACED), _CACHING, vary)


def _unchanged(vary: Header, tag: bytes) -> CachedResponse:
    return CachedResponse(HTTPStatus.NOT_MODIFIED, (_CACHING, vary), b"", tag)
