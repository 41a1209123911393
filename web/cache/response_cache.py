"""Responses of reads, kept as bytes for as long as the user's revision stands.

The lookup that authenticates a request brings the revision, which the database raises with every change that a read
could show, bulk statements included. It is part of the key, so a cached response is never older than the request that
gets it: nothing expires, and no process has to tell another. A response that shows when or how a destination was
checked last stands only as long as the revision of the checks does too, which every check raises; all others outlast a
check that finds nothing new.
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
from web.cache.doorkeeper import Doorkeeper
from web.cache.etags import EntityTags, in_coding, named_by
from web.compression.accept_encoding import Wanted
from web.compression.codings import Encoder
from web.request_state import request_state

LARGEST_PART = 16
"""A response larger than this part of the whole cache is not kept: it would evict too many others."""
OVERHEAD_BYTES = 800
"""Memory of an entry besides its key's texts and its body, as measured."""
TYPICAL_BYTES = 4_096
"""Of an entry."""

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
    """Responses of one process, least recently used first, within a number of bytes; with 0, only tags are made.

    Once they are full, a response is kept when its user has asked for it before.
    """

    def __init__(self, max_bytes: int, tags: EntityTags) -> None:
        self._max_bytes = max_bytes
        self._tags = tags
        self._encoder = Encoder()
        self._doorkeeper = Doorkeeper(max_bytes // TYPICAL_BYTES)
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
        return bool(self._entries) and self._standing(key) is not None

    def get(self, key: CacheKey, condition: bytes = b"", wanted: Wanted | None = None) -> CachedResponse | None:
        """The response in the form that is wanted, or a 304 when the client's `condition` (`If-None-Match`) holds; None
        when it must be read.
        """
        user_id, revision, _, _ = key.key
        entries = self._users.get(user_id)
        if entries is not None and entries.revision != revision:
            self._forget(entries, user_id)
        cached = self._standing(key)
        vary = key.request.vary
        if condition and vary is not None:
            tag = self._tag_the_client_has(condition, key, cached, wanted)
            if tag:
                self.not_modified += 1
                return _unchanged(vary, tag)
        if cached is None:
            return None
        self.hits += 1
        self._entries.move_to_end(key.key)
        return cached if wanted is None else self._in_form(key.key, cached, wanted)

    def put(
        self,
        key: CacheKey,
        headers: tuple[Header, ...],
        body: bytes,
        condition: bytes = b"",
        wanted: Wanted | None = None,
        *,
        shows_checks: bool,
    ) -> CachedResponse:
        """Keep a successful response that was just read; returns what to send: the form that is wanted, or a 304 for
        the condition `*`.

        `shows_checks` says whether a check that finds nothing new may change the response; it has to follow from the
        request alone.
        """
        self.misses += 1
        vary = key.request.vary
        tag = b"" if vary is None else self._tags.of(key, shows_checks=shows_checks)
        checks_revision = key.checks_revision if shows_checks else None
        response = CachedResponse(
            HTTPStatus.OK, _success_headers(headers, vary), body, tag, checks_revision=checks_revision
        )
        self._store(key.key, response)
        if wanted is not None:
            response = self._in_form(key.key, response, wanted)
        if vary is not None and condition.strip() == _ANY:
            self.not_modified += 1
            return _unchanged(vary, response.tag)
        return response

    def _standing(self, key: CacheKey) -> CachedResponse | None:
        """The response that is kept, if what it shows of checks is what the lookup found."""
        cached = self._entries.get(key.key)
        if cached is None or cached.checks_revision is None or cached.checks_revision == key.checks_revision:
            return cached
        return None

    def _tag_the_client_has(
        self, condition: bytes, key: CacheKey, cached: CachedResponse | None, wanted: Wanted | None
    ) -> bytes:
        """The tag of what the client has, so that nothing needs to be sent; empty where it has nothing current.

        `*` is any response there is, which only a cached one is known to be. Of one that is not cached it is not known
        whether it shows checks; the client has a tag of only one of the two kinds.
        """
        if condition.strip() == _ANY:
            if cached is None:
                return b""
            return cached.tag if wanted is None else self._in_form(key.key, cached, wanted).tag
        if cached is not None:
            return named_by(condition, cached.tag, wanted)
        tags = (self._tags.of(key, shows_checks=shows_checks) for shows_checks in (True, False))
        return next((named for tag in tags if (named := named_by(condition, tag, wanted))), b"")

    def _in_form(self, key: Key, response: CachedResponse, wanted: Wanted) -> CachedResponse:
        """The response as it is wanted; of one that is kept, a form is made once and kept with it."""
        coding = wanted.coding
        if not wanted.takes(len(response.body)):
            return response
        form = response.forms.get(coding)
        if form is None:
            body, tag = self._encoder.encode(response.body, coding), response.tag and in_coding(response.tag, coding)
            headers = _encoded_headers(response.headers, coding)
            form = CachedResponse(response.status, headers, body, tag, coding=coding)
            if self._entries.get(key) is response:
                form.compact()
                self.bytes -= _size(key, response)
                response.forms = {**response.forms, coding: form}
                self.bytes += _size(key, response)
                self._evict_down()
        return form

    def _store(self, key: Key, response: CachedResponse) -> None:
        size = _size(key, response)
        user_id, revision = key[:2]
        entries = self._users.get(user_id)
        if size > self._max_bytes // LARGEST_PART or (entries is not None and entries.revision > revision):
            return  # too large, or stale: a change was committed since the read, and no request has this key again
        if entries is not None and entries.revision < revision:
            self._forget(entries, user_id)
            entries = None
        is_full = self.bytes + size > self._max_bytes
        if is_full and key not in self._entries and not self._doorkeeper.knows((user_id, key[3])):
            return
        if entries is None:
            entries = self._users[user_id] = _UserEntries(revision)
        elif (before := self._entries.get(key)) is not None:
            if before.checks_revision is None or before.checks_revision >= (response.checks_revision or 0):
                return  # a concurrent request was first
            self.bytes -= _size(key, self._entries.pop(key))
        entries.keys.add(key)
        response.compact()
        self._entries[key] = response
        self.bytes += size
        self._evict_down()

    def _evict_down(self) -> None:
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


@lru_cache(maxsize=64)
def _encoded_headers(headers: tuple[Header, ...], coding: bytes) -> tuple[Header, ...]:
    return (*headers, (b"content-encoding", coding))


def _unchanged(vary: Header, tag: bytes) -> CachedResponse:
    return CachedResponse(HTTPStatus.NOT_MODIFIED, (_CACHING, vary), b"", tag)
