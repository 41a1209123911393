"""The processes of a gateway: the supervisor that was started, and the workers it started."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

DEADLINE_S = 60.0


def children(pid: int) -> list[int]:
    """The processes that a process has started and that run."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                state, parent = (directory / "stat").read_text().rpartition(") ")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(parent) == pid and state != "Z":
                found.append(int(directory.name))
    return sorted(found)


def is_alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


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
