"""Who may enter a memo that is full: what came before. What comes once would push out what comes again and again.

A scan through a million users, or requests that all differ, so cost a memo nothing that is asked for often, and cost
themselves no copy and no eviction.
"""

from __future__ import annotations

from collections.abc import Hashable

SLOTS_AN_ENTRY = 32


class Doorkeeper:
    """Remembers keys by two bytes each, in a table that is emptied when a quarter of it is taken.

    Where others have taken both bytes of a key, one in fifty on average, it enters at once.
    """

    __slots__ = ("_mask", "_seen", "_taken")

    def __init__(self, entries: int) -> None:
        """`entries` is about how many the memo has room for; the table takes 32 to 64 bytes for each."""
        self._mask = (1 << (max(1, entries) * SLOTS_AN_ENTRY - 1).bit_length()) - 1
        self._seen = bytearray()
        self._taken = 0

    def knows(self, key: Hashable) -> bool:
        """Whether the key came lately; from now on it did."""
        seen = self._seen
        if not seen:
            seen = self._seen = bytearray(self._mask + 1)  # a memo that never fills has none
        hashed = hash(key)
        first, second = hashed & self._mask, hashed >> 32 & self._mask
        if seen[first] and seen[second]:
            return True
        self._taken += 2 - seen[first] - seen[second]
        seen[first] = seen[second] = 1
        if self._taken > len(seen) // 4:
            self._seen, self._taken = bytearray(), 0
        return False
