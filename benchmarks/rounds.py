"""Measures: every contender in turn, round after round, so that a change of the machine's mood meets all of them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from benchmarks.data import Stage
from benchmarks.figures import Figures, medians, percentile
from benchmarks.load import Request, Run, run_load
from benchmarks.machine import BenchmarkRefused, all_on
from benchmarks.processes import cpu_seconds, resident_bytes
from benchmarks.scenarios import Scenario
from benchmarks.servers import Server
from benchmarks.verification import verify

_FIRST_RATE = 15_000.0
"""Requests a second that a contender is prepared to be sent before its rate is known."""
_SPARE = 1.5
"""How many times as many as at its last rate are rendered for its next round."""
_MICRO = 1e6
_MEBI = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How much is measured: so many rounds, in each so many seconds after so many of warming up."""

    rounds: int
    seconds: float
    warm_up_s: float = 1.0
    connections: int = 32
    is_proxied: bool = False


class Rendered:
    """The requests of one contender, in a course that goes on from round to round.

    They are rendered between the rounds, so that the load generator has its core for asking; what is wanted beyond them
    is rendered while it asks.
    """

    def __init__(self, requests: Iterator[Request]) -> None:
        self._requests = requests
        self._ready: Iterator[Request] = iter(())

    def ahead(self, count: int) -> Iterator[Request]:
        """The next requests, of which so many are rendered now."""
        ready = list(self._ready)
        ready += islice(self._requests, max(0, count - len(ready)))
        self._ready = iter(ready)
        return chain(self._ready, self._requests)


@dataclass(slots=True)
class Measured:
    """The rounds of one scenario, by contender."""

    scenario: Scenario
    rounds: dict[str, list[Figures]] = field(default_factory=dict)

    def medians(self) -> dict[str, Figures]:
        """The medians over the rounds, by contender."""
        return {name: medians(rounds) for name, rounds in self.rounds.items()}


def measure(stage: Stage, servers: Mapping[str, Server], scenario: Scenario, pace: Pace) -> Measured:
    """One scenario on every server that takes part; raises `BenchmarkRefused` when one answers wrongly."""
    callers = stage.callers[scenario.group.name]
    taking_part = scenario.contenders([server.contender for server in servers.values()])
    pace = replace(pace, connections=scenario.connections, is_proxied=scenario.is_proxied)
    # Gone through further from round to round: begun anew, a warm-up would make loads of many users hot.
    rendered = {one.name: Rendered(scenario.requests(one, callers)) for one in taking_part}
    rates = dict.fromkeys(rendered, _FIRST_RATE)
    for name in rendered:
        verify(servers[name], scenario, callers)
    measured = Measured(scenario, {name: [] for name in rendered})
    for number in range(pace.rounds):
        # A contender's neighbours in time change from round to round.
        for name in _turned(list(rendered), number):
            requests = rendered[name].ahead(int(rates[name] * (pace.warm_up_s + pace.seconds)))
            gc.freeze()  # what is rendered is no garbage, and a collection before each load would look through it
            figures = measure_one(stage, servers[name], requests, pace)
            rates[name] = figures.requests_per_s * _SPARE
            measured.rounds[name].append(figures)
            if scenario.writes:
                stage.restore()
        _show_progress(scenario, number + 1, pace.rounds)
    return measured


def _turned(names: Sequence[str], by: int) -> list[str]:
    cut = by % max(1, len(names))
    return [*names[cut:], *names[:cut]]


def measure_one(stage: Stage, server: Server, requests: Iterable[Request], pace: Pace) -> Figures:
    """One round of one contender; raises `BenchmarkRefused` when it answers wrongly.

    Each of several workers is asked over as many connections as one is, and every contender has the same cores.
    """
    workers = server.contender.workers
    if workers > 1:
        pace = replace(pace, connections=pace.connections * workers)
        with all_on(server.cores, stage.database_pid):
            return _figures(stage, server, requests, pace)
    return _figures(stage, server, requests, pace)


def _figures(stage: Stage, server: Server, requests: Iterable[Request], pace: Pace) -> Figures:
    port = server.proxied_port if pace.is_proxied else server.port
    _good(server, run_load(port, requests, seconds=pace.warm_up_s, connections=pace.connections))
    before = _cpu(stage, server)
    run = _good(server, run_load(port, requests, seconds=pace.seconds, connections=pace.connections))
    after = _cpu(stage, server)
    return Figures(
        requests_per_s=run.rate,
        p50_ms=percentile(run.latencies_s, 0.5) * 1_000,
        p99_ms=percentile(run.latencies_s, 0.99) * 1_000,
        server_us=(after[0] - before[0]) / run.requests * _MICRO,
        database_us=(after[1] - before[1]) / run.requests * _MICRO,
        generator_us=run.cpu_s / run.requests * _MICRO,
        resident_mb=resident_bytes(server.pid) / _MEBI,
    )


def _cpu(stage: Stage, server: Server) -> tuple[float, float]:
    """The CPU time so far of a contender and of the database beside it."""
    database = stage.database_pid
    return cpu_seconds(server.pid), 0.0 if database is None else cpu_seconds(database)


def _good(server: Server, run: Run) -> Run:
    """The run, if every answer was right: a wrong answer may be a fast one, and would be compared with right ones."""
    if run.errors or not run.requests:
        found = "; ".join(f"{count} times {sentence}" for sentence, count in run.errors.items()) or "no answer at all"
        raise BenchmarkRefused(f"{server.contender.title} did not answer as it should: {found}\n{server.log_end()}")
    return run


def _show_progress(scenario: Scenario, done: int, rounds: int) -> None:
    print(f"{scenario.name}: round {done} of {rounds}", file=sys.stderr, flush=True)
