"""Automatic persisted queries: a client sends the SHA-256 of a document in place of its text.

The protocol is Apollo's: a request with a hash and the text stores the document; one with the hash alone gets it, or
PERSISTED_QUERY_NOT_FOUND, after which the client sends the text again.
"""

from __future__ import annotations

from hashlib import sha256
from sys import getsizeof

from schema.errors import Code, refusal
from schema.execution.bounded_memo import BoundedMemo
from schema.execution.not_executed import NotExecuted

MAX_BYTES = 4 * 2**20


class PersistedQueries:
    """The documents of this process by hash, the least recently used ones evicted."""

    def __init__(self, *, enabled: bool) -> None:
        """Unless `enabled`, a hash alone gets PERSISTED_QUERY_NOT_SUPPORTED, after which clients send texts alone."""
        self._enabled = enabled
        self._documents: BoundedMemo[str, str] = BoundedMemo(MAX_BYTES)

    def text_of(self, text: str, hash_: str | None) -> str:
        """The document of a request with this text, empty for none, and hash; raises `NotExecuted`."""
        if hash_ is None or (text and not self._enabled):
            return text
        if not self._enabled:
            raise NotExecuted(refusal("PersistedQueryNotSupported", Code.PERSISTED_QUERY_NOT_SUPPORTED))
        if text:
            if sha256(text.encode("utf-8", "surrogatepass")).hexdigest() != hash_:
                message = "`extensions.persistedQuery.sha256Hash` is not the SHA-256 of `query`."
                raise NotExecuted(refusal(message, Code.BAD_REQUEST))
            return text
        stored = self._documents.get(hash_)
        if stored is None:
            raise NotExecuted(refusal("PersistedQueryNotFound", Code.PERSISTED_QUERY_NOT_FOUND))
        return stored

    def store(self, text: str, hash_: str | None) -> None:
        """Store a valid document whose hash `text_of` has compared."""
        if self._enabled and hash_ is not None:
            self._documents.put(hash_, text, getsizeof(text))
