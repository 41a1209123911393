"""The documents that clients have sent with their hashes: in the memory of one process, bounded in all and by user."""

from __future__ import annotations

from collections import OrderedDict
from sys import getsizeof
from typing import NamedTuple

from web.cache.bounded_memo import ENTRY_BYTES

MAX_BYTES = 4 * 2**20
MAX_DOCUMENTS = 4_000
USER_BYTES = 512 * 2**10
USER_DOCUMENTS = 500


class _Stored(NamedTuple):
    text: str
    user_id: int
    size: int


class DocumentStore:
    """Documents by hash. Any user's request finds them; each counts as of the user that sent it first.

    What a user has too much of is evicted of that user's own, and what all have too much of, of the user's that has
    most, the least recently used first: a client that sends more and more documents takes no other's away.
    """

    def __init__(self) -> None:
        self._documents: dict[str, _Stored] = {}
        self._of_users: dict[int, OrderedDict[str, int]] = {}
        self._bytes_of_users: dict[int, int] = {}
        self.bytes = 0
        """The memory of all documents."""

    def __len__(self) -> int:
        """The number of documents."""
        return len(self._documents)

    def get(self, hash_: str) -> str | None:
        """The document of this hash, which becomes the most recently used one of its user; or None."""
        stored = self._documents.get(hash_)
        if stored is None:
            return None
        self._of_users[stored.user_id].move_to_end(hash_)
        return stored.text

    def put(self, hash_: str, text: str, user_id: int) -> None:
        """Store a document that a user has sent with this hash, unless it is too large for one."""
        size = getsizeof(text) + ENTRY_BYTES
        if self.get(hash_) is not None or size > USER_BYTES:
            return
        while self._bytes_of_users.get(user_id, 0) + size > USER_BYTES or len(self._of(user_id)) >= USER_DOCUMENTS:
            self._evict_of(user_id)
        while self.bytes + size > MAX_BYTES or len(self) >= MAX_DOCUMENTS:
            self._evict_of(max(self._bytes_of_users, key=self._bytes_of_users.__getitem__))
        self._documents[hash_] = _Stored(text, user_id, size)
        self._of_users.setdefault(user_id, OrderedDict())[hash_] = size
        self._bytes_of_users[user_id] = self._bytes_of_users.get(user_id, 0) + size
        self.bytes += size

    def _of(self, user_id: int) -> OrderedDict[str, int]:
        return self._of_users.get(user_id, OrderedDict())

    def _evict_of(self, user_id: int) -> None:
        hash_, size = self._of_users[user_id].popitem(last=False)
        del self._documents[hash_]
        self.bytes -= size
        self._bytes_of_users[user_id] -= size
        if not self._of_users[user_id]:
            del self._of_users[user_id], self._bytes_of_users[user_id]
