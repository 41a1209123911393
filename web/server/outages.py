"""One line for an outage that several workers notice, and one for its end, whichever of them notices it first."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Hashable

from web.server.control import OutageReport

SETTLE_S = 5.0
"""How long after the end a worker may still report the same outage: its last request in it waited for so long."""
logger = logging.getLogger("moorings.outages")


class _State:
    __slots__ = ("ended_at", "is_logged", "workers")

    def __init__(self) -> None:
        self.is_logged = False
        self.ended_at = float("-inf")
        self.workers: set[Hashable] = set()
        """Those that are in it, as far as they have said since the last end."""


class SharedOutages:
    """What the workers of one supervisor say of outages."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}

    def note(self, worker: Hashable, said: OutageReport) -> None:
        """A worker is in an outage now, or no more."""
        state = self._states.setdefault(said.subject, _State())
        now = time.monotonic()
        if said.is_on:
            state.workers.add(worker)
            left_s = state.ended_at + SETTLE_S - now
            if left_s <= 0:
                self._begin(state, said.line)
            elif not state.is_logged:
                asyncio.get_running_loop().call_later(left_s, self._begin, state, said.line)
        elif state.is_logged:
            state.is_logged, state.ended_at = False, now
            state.workers.clear()
            logger.warning("%s", said.line)
        else:
            state.workers.discard(worker)

    def forget(self, worker: Hashable) -> None:
        """A worker has ended; an outage that nobody else is in will be said anew by those that meet it."""
        for state in self._states.values():
            state.workers.discard(worker)
            if not state.workers:
                state.is_logged = False

    def _begin(self, state: _State, line: str) -> None:
        if state.workers and not state.is_logged:
            state.is_logged = True
            logger.warning("%s", line)
