"""What is found out once and then found again, in the memory of one process.

For what follows from a key alone and never changes. To look it up costs half of calling a function that remembers,
which counts where it is done thirty times a page.
"""

from __future__ import annotations

from typing import TypeVar

Key = TypeVar("Key")
Found = TypeVar("Found")

MOST = 16_384
"""Moments of that number take some three megabytes; when it is reached, remembering begins anew."""


class Remembered(dict[Key, Found]):
    """What was found out, by key."""

    def __missing__(self, key: Key) -> Found:
        """Find it out and remember it; what `find_out` raises is not remembered."""
        if len(self) >= MOST:
            self.clear()
        found = self[key] = self.find_out(key)
        return found

    def find_out(self, key: Key) -> Found:
        """What belongs to a key that is not known."""
        raise NotImplementedError
