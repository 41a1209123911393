"""Durations that do not grow because other processes want the processors too."""

from __future__ import annotations

import time
from pathlib import Path

_NANOSECOND = 1e-9


class Stopwatch:
    """The seconds since its creation, without those in which one of the processes was ready to run and had to wait.

    Linux counts these per process (`schedstat`, see its Documentation/scheduler/sched-stats); where it does not, all
    seconds count. A limit that is held to these seconds is the same on an idle and on a busy machine.
    """

    def __init__(self, *pids: int) -> None:
        """`pids` are the processes that do the work besides this one, such as a gateway."""
        self._files = [Path("/proc", str(pid), "schedstat") for pid in ("thread-self", *pids)]
        self._began = time.monotonic()
        self._waited_before_s = [_waited_s(file) for file in self._files]

    @property
    def seconds(self) -> float:
        """What the work took; may be asked again and again."""
        waited_s = sum(map(_waited_s, self._files)) - sum(self._waited_before_s)
        return time.monotonic() - self._began - waited_s


def _waited_s(file: Path) -> float:
    try:
        return int(file.read_text().split()[1]) * _NANOSECOND
    except OSError:  # the process has ended, or the system has no such file
        return 0.0
