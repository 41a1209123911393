"""`make bench-before`: 32 writers on SQLite, this version of the gateway beside an earlier one, in one run.

Each version has a file that it migrated itself, with the same rows, and a process on the same core; they take turns.
The packages are those installed now, so the earlier version has to run on them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from benchmarks.compare import stop_on_termination
from benchmarks.contenders import EMBEDDED
from benchmarks.data import WRITERS
from benchmarks.embedded import EmbeddedStage
from benchmarks.figures import Figures, medians, ratio
from benchmarks.load import Request
from benchmarks.machine import BenchmarkRefused, Cores, divide_cores
from benchmarks.rounds import Pace, measure_one
from benchmarks.scenarios import Scenario, embedded_scenarios
from benchmarks.servers import ROOT, Server, running

LOADS = ("rest-create", "rest-update", "graphql-create", "graphql-update")
NOW, BEFORE = "now", "before"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One version: its file, its process, and what it is asked next, by load."""

    stage: EmbeddedStage
    server: Server
    requests: Mapping[str, Iterator[Request]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a line for each load; 1 with a sentence when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="make bench-before ARGS=...", description=__doc__)
    parser.add_argument("commit", help="of the earlier version")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of measuring, per version and round")
    given = parser.parse_args(arguments)
    stop_on_termination()
    pace = Pace(rounds=given.rounds, seconds=given.seconds, warm_up_s=given.seconds / 4)
    try:
        with tempfile.TemporaryDirectory(prefix="moorings-before-") as directory:
            extract(given.commit, Path(directory))
            cores = divide_cores()
            os.sched_setaffinity(0, cores.rest)
            found = compared(Path(directory), pace, cores)
    except BenchmarkRefused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    for name, sides in found.items():
        print(_line(name, sides[BEFORE], sides[NOW]))
    return 0


def compared(
    before: Path, pace: Pace, cores: Cores, loads: Sequence[str] = LOADS, users: int = WRITERS.users
) -> dict[str, dict[str, Figures]]:
    """The medians of both versions by load; `before` are the sources of the earlier one."""
    chosen = [one for one in embedded_scenarios() if one.name in loads]
    contender = next(one for one in EMBEDDED if one.name == "moorings")
    group = replace(WRITERS, users=users)
    with ExitStack() as stack:
        sides = {}
        for name, sources in ((BEFORE, before), (NOW, ROOT)):
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="moorings-before-"))
            stage = EmbeddedStage(Path(directory), sources)
            stage.migrate()
            stage.add(group)
            server = stack.enter_context(running([contender], stage, cores))[contender.name]
            requests = {one.name: one.requests(contender, stage.callers[group.name]) for one in chosen}
            sides[name] = _Side(stage=stage, server=server, requests=requests)
        return {one.name: _measured(one, sides, pace) for one in chosen}


def _measured(load: Scenario, sides: Mapping[str, _Side], pace: Pace) -> dict[str, Figures]:
    rounds: dict[str, list[Figures]] = {name: [] for name in sides}
    for number in range(pace.rounds):
        for name, side in sorted(sides.items(), reverse=number % 2 == 1):
            rounds[name].append(measure_one(side.stage, side.server, side.requests[load.name], pace))
            side.stage.restore()
    return {name: medians(figures) for name, figures in rounds.items()}


def extract(commit: str, directory: Path) -> None:
    """The files of a commit; raises `BenchmarkRefused` when there is no such commit here."""
    command = ["git", "archive", "--format=tar", commit]
    archived = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if archived.returncode:
        raise BenchmarkRefused(f"The sources of {commit} are not here: {archived.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(archived.stdout)) as files:
        files.extractall(directory, filter="data")


def _line(load: str, before: Figures, now: Figures) -> str:
    return (
        f"{load:15} {before.requests_per_s:6,.0f} -> {now.requests_per_s:6,.0f} requests/s "
        f"({ratio(now.requests_per_s, before.requests_per_s):.1f} x), CPU {before.server_us:5,.0f} -> "
        f"{now.server_us:4,.0f} us, p50 {before.p50_ms:5.1f} -> {now.p50_ms:4.1f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
