"""A memo that is bounded by bytes: the least recently used entries are evicted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

ENTRY_BYTES = 300
"""The memory of an entry besides its key's and value's own."""


def compact(data: bytes) -> bytes:
    """A copy in memory of its own size, of bytes that are kept.

    Writers of JSON and compressors fill a buffer that they double, and give the rest of it back in pieces that are too
    small for the next one: of 64 MiB of their results a process holds 120, and of short ones 4 KiB each.
    """
    return bytes(memoryview(data))


class BoundedMemo(Generic[Key, Value]):
    """Values by key, for what depends on the key alone."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self.bytes = 0
        """The memory of all entries, by the sizes that were given with them."""

    def __len__(self) -> int:
        """The number of entries."""
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """The value of a key, which becomes the most recently used one; None if there is none."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Key, value: Value, size: int) -> None:
        """Store a value that takes `size` bytes with its key, unless that is more than a quarter of the memo."""
        size += ENTRY_BYTES
        if 4 * size > self._max_bytes:
            return
        replaced = self._entries.pop(key, None)
        self.bytes += size - (0 if replaced is None else replaced[1])
        self._entries[key] = (value, size)
        while self.bytes > self._max_bytes:
            _, (_, evicted) = self._entries.popitem(last=False)
            self.bytes -= evicted
