"""The machine a comparison runs on: which core does what, and the facts that belong to every figure."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.processes import descent


class BenchmarkRefused(Exception):
    """Nothing can be measured this way; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where: `server` the contender, `rest` PostgreSQL and the load generator."""

    server: frozenset[int]
    rest: frozenset[int]

    @property
    def both(self) -> frozenset[int]:
        """For a contender of several processes, which shares the second core with all others."""
        return self.server | self.rest


def divide_cores() -> Cores:
    """The first core for the contender, the second for the rest; raises `BenchmarkRefused` on one core or elsewhere."""
    if not sys.platform.startswith("linux"):
        raise BenchmarkRefused("The benchmarks read /proc and pin processes to cores, which only Linux offers.")
    free = sorted(os.sched_getaffinity(0))
    if len(free) < 2:
        raise BenchmarkRefused("The benchmarks need two cores: one for the server, one for the database and the load.")
    return Cores(frozenset(free[:1]), frozenset(free[1:2]))


@contextmanager
def on_cores(cores: frozenset[int]) -> Iterator[None]:
    """Run this thread, and every process it starts meanwhile, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def all_on(cores: frozenset[int], root: int | None) -> Iterator[None]:
    """Run this thread, and a process with its descendants, on these cores for a while; back on their own afterwards."""
    moved = {0: os.sched_getaffinity(0)}
    for pid in [] if root is None else descent(root):
        with suppress(ProcessLookupError):  # a connection that was closed has no process any more
            moved[pid] = os.sched_getaffinity(pid)
    for pid in moved:
        _move(pid, cores)
    try:
        yield
    finally:
        for pid, before in moved.items():
            _move(pid, before)


def _move(pid: int, cores: Iterable[int]) -> None:
    with suppress(ProcessLookupError):
        os.sched_setaffinity(pid, cores)


def facts(versions: Mapping[str, str]) -> dict[str, str]:
    """What to print beside the figures; `versions` are those of the programs that were measured."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": str(os.cpu_count()),
        "CPU": _cpu_model(),
        "kernel": platform.release(),
        "Python": platform.python_version(),
        **versions,
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
