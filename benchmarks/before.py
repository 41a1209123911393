"""`make bench-before`: 32 writers on SQLite, this version of the gateway beside an earlier one, in one run.

Each version has a file that it migrated itself, with the same rows, and a process on the same core; they take turns.
The packages are those installed now, so the earlier version has to run on them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.command import run
from benchmarks.contenders import EMBEDDED
from benchmarks.data import WRITERS
from benchmarks.embedded import EmbeddedStage
from benchmarks.figures import Figures, medians, ratio
from benchmarks.load import Request
from benchmarks.machine import BenchmarkRefused, Cores
from benchmarks.rounds import Pace, measure_one
from benchmarks.scenarios import Scenario, embedded_scenarios
from benchmarks.servers import ROOT, Server, running

BASELINE = "925a5569b69ca8f7431785aa29db3556a97812a0"
"""The commit whose writes on SQLite the goal of 32 writers is held against: each had an fsync to itself."""
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
    parser.add_argument("--users", type=int, default=WRITERS.users, help="whose destinations are written")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of measuring, per version and round")
    return run(parser, arguments, _compare)


def _compare(given: argparse.Namespace, cores: Cores) -> None:
    pace = Pace(rounds=given.rounds, seconds=given.seconds, warm_up_s=given.seconds / 4)
    for name, sides in beside(given.commit, pace, cores, users=given.users).items():
        print(_line(name, sides[BEFORE], sides[NOW]))


def beside(commit: str, pace: Pace, cores: Cores, *, users: int = WRITERS.users) -> dict[str, dict[str, Figures]]:
    """The medians of a commit's version and of this one, by load; raises `BenchmarkRefused` when git has it not."""
    with tempfile.TemporaryDirectory(prefix="moorings-before-") as directory:
        extract(commit, Path(directory))
        return compared(Path(directory), pace, cores, users)


def compared(before: Path, pace: Pace, cores: Cores, users: int) -> dict[str, dict[str, Figures]]:
    """The medians of both versions by load; `before` are the sources of the earlier one."""
    chosen = [one for one in embedded_scenarios() if one.name in LOADS]
    contender = next(one for one in EMBEDDED if one.name == "moorings")
    group = replace(WRITERS, users=users)
    with ExitStack() as stack:
        sides = {}
        for name, sources in ((BEFORE, before), (NOW, ROOT)):
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="moorings-before-"))
            stage = EmbeddedStage(Path(directory), sources)
            try:
                stage.migrate()
            except subprocess.CalledProcessError as error:
                raise BenchmarkRefused(
                    f"The version of {sources} does not run on the packages of today: {error}"
                ) from error
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
    # `tarfile` of Debian 12's Python has no filters yet.
    command = ["tar", "-x", "-C", str(directory)]
    subprocess.run(command, input=archived.stdout, check=True)


def _line(load: str, before: Figures, now: Figures) -> str:
    return (
        f"{load:15} {before.requests_per_s:6,.0f} -> {now.requests_per_s:6,.0f} requests/s "
        f"({ratio(now.requests_per_s, before.requests_per_s):.1f} x), CPU {before.server_us:5,.0f} -> "
        f"{now.server_us:4,.0f} us, p50 {before.p50_ms:5.1f} -> {now.p50_ms:4.1f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
