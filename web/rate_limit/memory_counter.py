"""Counts hits in the memory of this process, in windows of one length that begin with their first hit.

Our own, because the library's storage looks through all its keys and makes a task for every hit: with a thousand users
some 25 µs a hit, where these take one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from itertools import islice

MAX_WINDOWS = 65_536
"""Of one limit, some 300 bytes each."""
ROOM = 1_024


class FixedWindows:
    """A window per key. Windows that have ended are deleted when another one begins.

    Where there are `MAX_WINDOWS`, those that end first make room: memory matters more than one count among so many.
    """

    def __init__(self, length_s: float, *, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns seconds of a clock that never goes back."""
        self._length_s = length_s
        self._now = now
        self._windows: dict[Hashable, _Window] = {}  # all have one length, so the first to begin is the first to end

    def __len__(self) -> int:
        """How many windows there are."""
        return len(self._windows)

    def hit(self, key: Hashable) -> tuple[int, float]:
        """Count one; returns the hits of the window so far and how many seconds are left of it."""
        now = self._now()
        window = self._windows.get(key)
        if window is None or window.ends_at <= now:
            self._forget_ended(now)
            self._make_room()
            window = self._windows[key] = _Window(now + self._length_s)
        window.hits += 1
        return window.hits, window.ends_at - now

    def hits(self, key: Hashable) -> int:
        """The hits of the window so far, none of them counted now."""
        window = self._windows.get(key)
        return 0 if window is None or window.ends_at <= self._now() else window.hits

    def _make_room(self) -> None:
        if len(self._windows) >= MAX_WINDOWS:
            for key in list(
                islice(self._windows, ROOM)
            ):  # many at once: to find the first costs more, the more are gone
                del self._windows[key]

    def _forget_ended(self, now: float) -> None:
        ended = []
        for key, window in self._windows.items():
            if window.ends_at > now:
                break
            ended.append(key)
        for key in ended:
            del self._windows[key]


class _Window:
    __slots__ = ("ends_at", "hits")

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.hits = 0
