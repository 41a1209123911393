"""The processes of a gateway: the supervisor that was started, and the workers it started."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

DEADLINE_S = 60.0


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not ended."""
    numbers = (int(directory.name) for directory in Path("/proc").iterdir() if directory.name.isdigit())
    return sorted(number for number in numbers if _parent(number) == pid)


def is_alive(pid: int) -> bool:
    """Whether a process has not ended; an orphan that has ended may be listed until init reads its status."""
    return _parent(pid) is not None


def _parent(pid: int) -> int | None:
    """The process that has started this one; None when this one has ended."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else int(parent)


async def until(condition: Callable[[], bool], *, deadline_s: float = DEADLINE_S) -> float:
    """Wait for a condition that others bring about; returns how many seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < deadline_s, "the condition did not come true in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def renewed(pid: int, before: list[int]) -> float:
    """Wait until workers are there in the place of these, as many; returns how many seconds it took."""

    def are_others() -> bool:
        now = children(pid)
        return len(now) == len(before) and not set(now) & set(before)

    return await until(are_others)
