"""What processes cost, read from /proc: CPU seconds and resident memory of a process and all its descendants."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_IS_PRECISE = (_PROC / "self" / "schedstat").exists()


@dataclass(frozen=True, slots=True)
class _Stat:
    """A process: its parent, and the CPU time of its threads and of its children that have ended."""

    parent: int
    cpu_s: float


def cpu_seconds(root: int) -> float:
    """The CPU time of a process and its descendants so far, children that have ended included."""
    stats = dict(_stats())
    return sum(stats[pid].cpu_s for pid in _tree(root, stats))


def resident_bytes(root: int) -> int:
    """The resident memory of a process and its descendants; what they share counts for each."""
    return sum(map(_resident, _tree(root, dict(_stats()))))


def largest_resident_bytes(root: int) -> int:
    """The resident memory of the largest of a process and its descendants: a worker, without the process above it."""
    return max(map(_resident, _tree(root, dict(_stats()))), default=0)


def descent(root: int) -> list[int]:
    """A process and all its descendants."""
    return list(_tree(root, dict(_stats())))


def _stats() -> Iterator[tuple[int, _Stat]]:
    for directory in _PROC.iterdir():
        if directory.name.isdigit():
            try:
                text = (directory / "stat").read_text()
                own_s = _thread_seconds(directory)
            except (FileNotFoundError, ProcessLookupError):
                continue
            # The name is in parentheses and may hold anything, parentheses too.
            fields = text.rpartition(")")[2].split()
            own_s = sum(map(int, fields[11:13])) / _TICKS_PER_S if own_s is None else own_s
            yield int(directory.name), _Stat(int(fields[1]), own_s + sum(map(int, fields[13:15])) / _TICKS_PER_S)


def _thread_seconds(directory: Path) -> float | None:
    """The CPU time of a process's threads to the nanosecond, where the kernel tells: a tick is 10 ms, which is much."""
    if not _IS_PRECISE:
        return None
    return sum(int((task / "schedstat").read_text().split()[0]) for task in (directory / "task").iterdir()) / 1e9


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
