"""One log line when something that the gateway depends on goes away, and one when it is back."""

from __future__ import annotations

import logging
import time

logger = logging.getLogger("moorings.outages")
SUBJECT = "outage"
"""The attribute of a record that says which outage it is of, and whether it begins: other processes may log it too."""


class Outage:
    """Whether something is away, by what was noted last."""

    def __init__(self, *, begins: str, ends: str) -> None:
        """What the log says; `begins` is followed by the cause, `ends` by the length."""
        self._begins = begins
        self._ends = ends
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether the last thing that was noted was a failure."""
        return self._since is not None

    def begin(self, cause: str) -> None:
        """Note a failure; the first is logged with its cause."""
        if self._since is None:
            self._since = time.monotonic()
            logger.warning("%s: %s.", self._begins, cause, extra={SUBJECT: (self._begins, True)})

    def end(self) -> None:
        """Note a success; the first after a failure is logged."""
        if self._since is not None:
            length_s = time.monotonic() - self._since
            logger.warning("%s, after %.1f s.", self._ends, length_s, extra={SUBJECT: (self._begins, False)})
            self._since = None


def cause_of(error: BaseException) -> str:
    """The class of the error that stands at the beginning, or SQLite's name for it; never a text with values in it."""
    while isinstance(error.__cause__, Exception):  # a time-out is caused by its cancellation, which says less
        error = error.__cause__
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


class Breaker:
    """Spares what is away: after a failure nothing is tried for a while, then one call, and after a success all."""

    def __init__(self, outage: Outage, *, pause_s: float) -> None:
        self._outage = outage
        self._pause_s = pause_s
        self._next_trial = 0.0

    def admits(self) -> bool:
        """Whether to try now; during an outage, one call for each pause."""
        if not self._outage.is_on:
            return True
        now = time.monotonic()
        if now < self._next_trial:
            return False
        self._next_trial = now + self._pause_s
        return True

    def note_failure(self, error: BaseException, *, tries_at_once: bool = False) -> None:
        """Begin a pause, with `tries_at_once` behind one more call; the first failure is logged with its class."""
        self._next_trial = time.monotonic() + (0 if tries_at_once else self._pause_s)
        self._outage.begin(cause_of(error))

    def note_success(self) -> None:
        """Try every call from now on."""
        self._outage.end()
