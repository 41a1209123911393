"""What the gateway promises beside its peers, and whether a run kept it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.before import BASELINE, BEFORE, LOADS, NOW
from benchmarks.figures import Figures, ratio
from benchmarks.subscribers import Live

_Times = Mapping[str, Mapping[str, tuple[float, float | None]]]
Results = Mapping[str, Mapping[str, Figures]]
"""The medians, by scenario and contender."""
Beside = Mapping[str, Mapping[str, Figures]]
"""The medians of an earlier version and of this one, by scenario; empty when the earlier one could not be measured."""

MAX_RESIDENT_MB = 80.0
"""Of one worker when it has started."""
CACHE_MB = 64.0
"""What MOORINGS_RESPONSE_CACHE_BYTES is by default; the loads of many users fill it."""

MAX_SUBSCRIBER_KB = 15.0
LIVE_TIMES = 0.5
"""Of the p99 of the peer whose events are least late, over any transport."""
MAX_START_S = 1.5
TWO_WORKERS = 1.6


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One goal held against a run, in words."""

    goal: str
    wanted: str
    found: str
    is_kept: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rivalry:
    """So many times as many requests a second as a peer; for one connection, so many times the peer's p50 at most."""

    title: str
    scenario: str
    ours: str
    theirs: str
    times: float
    is_of_p50: bool = False


_TIMES: _Times = {
    "graphql": {
        "hot": (2.5, 8.0),
        "zipf": (2.0, 4.0),
        "many": (2.0, 2.0),
        "varied": (2.0, 2.0),
        "literals": (5.0, 5.0),
        "browser": (1.5, 3.0),
        "mix": (2.5, 3.5),
        "create": (2.5, None),
        "update": (2.5, None),
    },
    "rest": {
        "hot": (2.5, 7.0),
        "zipf": (2.0, 4.0),
        "many": (1.8, 1.8),
        "varied": (1.8, 1.8),
        "browser": (1.5, 3.0),
        "mix": (2.0, 3.0),
        "create": (2.5, None),
        "update": (2.5, None),
    },
}
"""How many times a peer's rate is wanted, cache off and cached, by protocol and load."""
_EMBEDDED: _Times = {protocol: {"hot": (1.2, 4.0), "zipf": (1.2, 4.0)} for protocol in ("graphql", "rest")}
"""The same on SQLite."""
WRITES_TIMES = 3.0
"""How many times the rate of the version `BASELINE` is wanted of 32 writers on SQLite, both measured in turns."""
_TITLES = {"graphql": "GraphQL", "rest": "REST"}
_PEERS = {"graphql": "mercurius", "rest": "fastify"}


def _rivalries(times: _Times) -> Iterator[_Rivalry]:
    for protocol, loads in times.items():
        title, theirs = _TITLES[protocol], _PEERS[protocol]
        for load, (off, cached) in loads.items():
            scenario = f"{protocol}-{load}"
            ours = "moorings-browser" if load == "browser" else "moorings"
            yield _Rivalry(title=f"{title}, {load}, cache off", scenario=scenario, ours=ours, theirs=theirs, times=off)
            if cached is not None:
                yield _Rivalry(
                    title=f"{title}, {load}, cached",
                    scenario=scenario,
                    ours=f"{ours}-cached",
                    theirs=theirs,
                    times=cached,
                )
        for ours, kind in (("moorings", "cache off"), ("moorings-cached", "cached")):
            yield _Rivalry(
                title=f"{title}, single, {kind}",
                scenario=f"{protocol}-single",
                ours=ours,
                theirs=theirs,
                times=1.0,
                is_of_p50=True,
            )


def verdicts(
    results: Results,
    started_in_s: Mapping[str, float],
    started_with_mb: Mapping[str, float],
    *,
    is_embedded: bool = False,
    before: Beside | None = None,
) -> list[Verdict]:
    """Every goal that this run can speak to; `before` are writes on SQLite, None where they were left out."""
    if is_embedded:
        return [*_beside_peers(results, _EMBEDDED), *([] if before is None else _embedded_writes(before))]
    return [
        *_beside_peers(results, _TIMES),
        *_of_two_workers(results),
        *_alone(results),
        *_at_start(started_in_s, started_with_mb),
    ]


def of_live_events(live: Live) -> Iterator[Verdict]:
    """How late events are beside the peer where they are least late, and what an idle subscriber takes."""
    peers = {one: found for one, found in live.found.items() if not one.contender.is_ours}
    best = min(peers, key=lambda one: peers[one].p99_ms)
    ours = {one: found for one, found in live.found.items() if one.contender.is_ours}
    for one, found in ours.items():
        times = ratio(found.p99_ms, peers[best].p99_ms)
        yield Verdict(
            goal=f"live events, {one.transport}: p99 from commit to arrival beside {best.title}",
            wanted=f"≤ {LIVE_TIMES:g} ×",
            found=f"{times:.2f} × ({found.p99_ms:.1f} ms)",
            is_kept=times <= LIVE_TIMES,
        )
    for one, found in ours.items():
        yield Verdict(
            goal=f"memory of an idle subscriber, {one.transport}",
            wanted=f"≤ {MAX_SUBSCRIBER_KB:g} kB",
            found=f"{found.kb_of_idle:.1f} kB",
            is_kept=found.kb_of_idle <= MAX_SUBSCRIBER_KB,
        )


def _beside_peers(results: Results, times: _Times) -> Iterator[Verdict]:
    for one in _rivalries(times):
        measured = results.get(one.scenario, {})
        if one.ours in measured and one.theirs in measured:
            yield from _judged(one, measured[one.ours], measured[one.theirs])


def _embedded_writes(before: Beside) -> Iterator[Verdict]:
    """What 32 writers have on SQLite beside the version in which each write had an fsync to itself, in the same run."""
    for scenario in LOADS:
        protocol, _, load = scenario.partition("-")
        found, times = "not measured", 0.0
        if sides := before.get(scenario):
            was, now = sides[BEFORE].requests_per_s, sides[NOW].requests_per_s
            times = ratio(now, was)
            found = f"{times:.2f} × ({now:,.0f})"
        yield Verdict(
            goal=f"{_TITLES[protocol]}, {load}, 32 writers: requests/s beside an fsync each ({BASELINE[:7]})",
            wanted=f"≥ {WRITES_TIMES:g} ×",
            found=found,
            is_kept=times >= WRITES_TIMES,
        )


def _of_two_workers(results: Results) -> Iterator[Verdict]:
    """Two workers beside one: of two cores they have what the load generator leaves, counted as if it were both."""
    measured = results.get("rest-hot", {})
    if "moorings" in measured and "moorings-two" in measured:
        one, two = measured["moorings"], measured["moorings-two"]
        taken = two.requests_per_s * two.generator_us / 1e6
        times = ratio(two.requests_per_s * 2 / (2 - taken), one.requests_per_s)
        yield Verdict(
            goal="REST, hot, two workers: requests/s beside one, without what the load generator takes",
            wanted=f"≥ {TWO_WORKERS:g} ×",
            found=f"{times:.2f} ×",
            is_kept=times >= TWO_WORKERS,
        )


def _judged(one: _Rivalry, ours: Figures, theirs: Figures) -> Iterator[Verdict]:
    if one.is_of_p50:
        times = ratio(ours.p50_ms, theirs.p50_ms)
        yield Verdict(
            goal=f"{one.title}: p50 beside {one.theirs}",
            wanted=f"≤ {one.times:g} ×",
            found=f"{times:.2f} × ({ours.p50_ms:.2f} ms)",
            is_kept=times <= one.times,
        )
        return
    times = ratio(ours.requests_per_s, theirs.requests_per_s)
    yield Verdict(
        goal=f"{one.title}: requests/s beside {one.theirs}",
        wanted=f"≥ {one.times:g} ×",
        found=f"{times:.2f} ×",
        is_kept=times >= one.times,
    )


def _alone(results: Results) -> Iterator[Verdict]:
    """What the response cache adds to a worker that has answered all loads, with a tenth beside its setting."""
    sizes = {
        name: max((measured[name].resident_mb for measured in results.values() if name in measured), default=0.0)
        for name in ("moorings", "moorings-cached")
    }
    if all(sizes.values()):
        added = sizes["moorings-cached"] - sizes["moorings"]
        yield Verdict(
            goal="what the cache adds to the memory of one worker, after all loads",
            wanted=f"≤ {CACHE_MB * 1.1:.0f} MB",
            found=f"{added:.0f} MB",
            is_kept=added <= CACHE_MB * 1.1,
        )


def _at_start(started_in_s: Mapping[str, float], started_with_mb: Mapping[str, float]) -> Iterator[Verdict]:
    for found, goal, most, unit in (
        (started_with_mb, "memory of one worker at start", MAX_RESIDENT_MB, "MB"),
        (started_in_s, "from the start to the first answer", MAX_START_S, "s"),
    ):
        if "moorings" in found:
            yield Verdict(
                goal=goal,
                wanted=f"≤ {most:g} {unit}",
                found=f"{found['moorings']:.3g} {unit}",
                is_kept=found["moorings"] <= most,
            )
