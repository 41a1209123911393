"""`make bench-quick`: has the gateway become slower? Half a minute, for the gate; needs what the tests need.

What is held against `recorded.json` are ratios to a peer that never changes, bare ASGI with asyncpg, of CPU time per
request: machines and their moods differ, and both sides of a ratio share them.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from benchmarks.command import run
from benchmarks.contenders import CONTENDERS
from benchmarks.data import PEOPLE, PostgresStage, staged
from benchmarks.figures import Figures, median, ratio
from benchmarks.load import Request
from benchmarks.machine import BenchmarkRefused, Cores
from benchmarks.rounds import Pace, measure_one
from benchmarks.scenarios import scenarios
from benchmarks.servers import Server, running
from benchmarks.verification import verify

RECORDED = Path(__file__).parent / "recorded.json"
TOLERANCES = {"server": 1 / 3, "database": 1 / 2}
"""The share of its recorded value that a ratio may lose, by whose CPU time it is of.

How many lookups share a statement depends on what else the machine does, and with it what the database has to do.
"""
BUDGET_S = 45.0
"""After so long no new round begins, except that two are always made."""

Case = tuple[str, str]
"""The name of a contender and of a scenario."""

_PEER = ("asgi", "rest-hot")
_USERS = 20_000
_OURS = {
    f"{title} {load}, {kind}": (name, f"{protocol}-{load}")
    for protocol, title in (("graphql", "GraphQL"), ("rest", "REST"))
    for load, name, kind in (
        ("zipf", "moorings", "cache off"),
        ("zipf", "moorings-cached", "cached"),
        ("varied", "moorings", "cache off"),
        ("mix", "moorings-cached", "cached"),
    )
}
_FEWEST_ROUNDS = 2
_FIRST = Pace(rounds=1, seconds=0.1, warm_up_s=1.0)
_PACE = Pace(rounds=5, seconds=0.3, warm_up_s=0.05)

Ratios = Mapping[str, float]
"""How many of our requests have room in the CPU time of one of the peer's, by case and by whose CPU time."""


@dataclass(frozen=True, slots=True)
class _Players:
    """What is measured on: the database, the servers, and what each case asks."""

    stage: PostgresStage
    servers: Mapping[str, Server]
    requests: Mapping[Case, Iterator[Request]]
    until: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and compare; 1 with a sentence for every ratio that fell, and for a run that could not be."""
    parser = argparse.ArgumentParser(prog="make bench-quick ARGS=...", description=__doc__)
    parser.add_argument("--record", action="store_true", help="rewrite recorded.json with what is measured")
    return run(parser, arguments, _check)


def fallen(recorded: Ratios, found: Ratios) -> list[str]:
    """A sentence for every ratio that lost more than a third of its recorded value, or has none."""
    complaints = []
    for name, value in found.items():
        if name not in recorded:
            complaints.append(f"{name} has no recorded value; `make bench-quick ARGS=--record` records it.")
        elif value < recorded[name] * (1 - TOLERANCES[name.rpartition(" ")[2]]):
            complaints.append(
                f"{name} fell: {value:.2f} of our requests cost the CPU time of one of bare ASGI's, "
                f"{recorded[name]:.2f} when it was recorded."
            )
    return complaints


def _check(given: argparse.Namespace, cores: Cores) -> None:
    """Raises `BenchmarkRefused` with a sentence for each ratio that fell."""
    if complaints := _measured(cores, record=given.record):
        raise BenchmarkRefused("\n".join(complaints))


def _measured(cores: Cores, *, record: bool) -> list[str]:
    until = math.inf if record else time.monotonic() + BUDGET_S
    names = {name for name, _ in [_PEER, *_OURS.values()]}
    contenders = [contender for contender in CONTENDERS if contender.name in names]
    with staged([replace(PEOPLE, users=_USERS)]) as stage, running(contenders, stage, cores) as servers:
        players = _warmed_up(stage, servers, until)
        if record:
            found = _measure(players, replace(_PACE, rounds=9))
            RECORDED.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
            _show(found, found)
            return []
        recorded = orjson.loads(RECORDED.read_bytes())
        found = _measure(players, _PACE)
        if fallen(recorded, found):
            print("Slower than recorded; measuring once more.", file=sys.stderr)
            # What really is slower is slower both times.
            found = {name: max(value, found[name]) for name, value in _measure(players, _PACE).items()}
    _show(recorded, found)
    return fallen(recorded, found)


def _warmed_up(stage: PostgresStage, servers: Mapping[str, Server], until: float) -> _Players:
    """The players, when each has answered for a while, and rightly."""
    requests: dict[Case, Iterator[Request]] = {}
    players = _Players(stage, servers, requests, until)
    known = {scenario.name: scenario for scenario in scenarios()}
    for case in [_PEER, *_OURS.values()]:
        server, scenario = servers[case[0]], known[case[1]]
        callers = stage.callers[scenario.group.name]
        verify(server, scenario, callers)
        requests[case] = scenario.requests(server.contender, callers)
        _measure_case(players, case, _FIRST)
    return players


def _measure(players: _Players, pace: Pace) -> dict[str, float]:
    """The medians over the rounds; a ratio is of two neighbours in time."""
    found: dict[str, list[float]] = {}
    for number in range(pace.rounds):
        if number >= _FEWEST_ROUNDS and time.monotonic() > players.until:
            break
        peer = _measure_case(players, _PEER, pace)
        for title, case in _OURS.items():
            ours = _measure_case(players, case, pace)
            found.setdefault(f"{title}, server", []).append(ratio(peer.server_us, ours.server_us))
            found.setdefault(f"{title}, database", []).append(ratio(peer.database_us, ours.database_us))
    return {name: round(median(values), 3) for name, values in found.items()}


def _measure_case(players: _Players, case: Case, pace: Pace) -> Figures:
    found = measure_one(players.stage, players.servers[case[0]], players.requests[case], pace)
    if case[1].endswith("-mix"):
        players.stage.restore(tidy=False)  # the other loads know which rows there are
    return found


def _show(recorded: Ratios, found: Ratios) -> None:
    print("How many of our requests cost the CPU time of one of bare ASGI's:")
    for name, value in found.items():
        print(f"  {name:28} {value:6.2f}   recorded {recorded.get(name, float('nan')):6.2f}")


if __name__ == "__main__":
    sys.exit(main())
