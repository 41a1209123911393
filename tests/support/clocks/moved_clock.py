"""A clock that tests set while the processes that read it run, by libfaketime.

As when an administrator or NTP sets a real one, only the wall clock jumps: what measures durations goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from tests.support.clocks.provide import library

RIGHT = timedelta()


class MovedClock:
    """The wall clock of processes that are started with `variables`."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.set(RIGHT)

    @property
    def variables(self) -> Mapping[str, str]:
        """Environment variables of a process that reads this clock, and of all that it starts."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, ahead: timedelta) -> None:
        """Let it be ahead of the machine's clock, or behind by a negative time, in one step."""
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{ahead.total_seconds():+.0f}\n")
        beside.replace(self._file)
