"""What processes cost, read from /proc: CPU seconds and resident memory of a process and all its descendants."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class _Stat:
    """A line of /proc/<pid>/stat: the parent, and the CPU time of the process and of its children that have ended."""

    parent: int
    cpu_s: float


def cpu_seconds(root: int) -> float:
    """The CPU time of a process and its descendants so far, children that have ended included."""
    stats = dict(_stats())
    return sum(stats[pid].cpu_s for pid in _tree(root, stats))


def resident_bytes(root: int) -> int:
    """The resident memory of a process and its descendants; what they share counts for each."""
    return sum(map(_resident, _tree(root, dict(_stats()))))


def _stats() -> Iterator[tuple[int, _Stat]]:
    for directory in _PROC.iterdir():
        if directory.name.isdigit():
            try:
                text = (directory / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            # The name is in parentheses and may hold anything, parentheses too.
            fields = text.rpartition(")")[2].split()
            ticks = sum(map(int, fields[11:15]))
            yield int(directory.name), _Stat(int(fields[1]), ticks / _TICKS_PER_S)


def _tree(root: int, stats: dict[int, _Stat]) -> Iterator[int]:
    children = defaultdict(list)
    for pid, stat in stats.items():
        children[stat.parent].append(pid)
    waiting = [root] if root in stats else []
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children[pid]


def _resident(pid: int) -> int:
    try:
        pages = (_PROC / str(pid) / "statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
