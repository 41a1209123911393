"""What the gateway promises beside its peers, and whether a run kept it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.figures import Figures, ratio

Results = Mapping[str, Mapping[str, Figures]]
"""The medians, by scenario and contender."""

MAX_RESIDENT_MB = 90.0
CACHE_MB = 64.0
"""What MOORINGS_RESPONSE_CACHE_BYTES allows unless told otherwise; the scenarios fill it."""

MAX_START_S = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One goal held against a run, in words."""

    goal: str
    wanted: str
    found: str
    is_kept: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rivalry:
    """So many times as many requests a second as a peer, with a p99 no worse than its."""

    title: str
    scenario: str
    ours: str
    theirs: str
    times: float


_RIVALRIES = (
    _Rivalry(title="GraphQL, cache off", scenario="graphql-15", ours="moorings", theirs="mercurius", times=1.5),
    _Rivalry(title="GraphQL, cached", scenario="graphql-15", ours="moorings-cached", theirs="mercurius", times=4.0),
    _Rivalry(title="REST, cache off", scenario="rest-15", ours="moorings", theirs="fastify", times=2.0),
    _Rivalry(title="REST, cached", scenario="rest-15", ours="moorings-cached", theirs="fastify", times=5.0),
)


def verdicts(results: Results, started_in_s: Mapping[str, float]) -> list[Verdict]:
    """Every goal that this run can speak to."""
    return [*_beside_peers(results), *_alone(results, started_in_s)]


def _beside_peers(results: Results) -> Iterator[Verdict]:
    for one in _RIVALRIES:
        measured = results.get(one.scenario, {})
        if one.ours in measured and one.theirs in measured:
            ours, theirs = measured[one.ours], measured[one.theirs]
            times = ratio(ours.requests_per_s, theirs.requests_per_s)
            yield Verdict(
                goal=f"{one.title}: requests/s beside {one.theirs.title()}",
                wanted=f"≥ {one.times:g} ×",
                found=f"{times:.2f} ×",
                is_kept=times >= one.times,
            )
            yield Verdict(
                goal=f"{one.title}: p99 beside {one.theirs.title()}",
                wanted=f"≤ {theirs.p99_ms:.1f} ms",
                found=f"{ours.p99_ms:.1f} ms",
                is_kept=ours.p99_ms <= theirs.p99_ms,
            )


def _alone(results: Results, started_in_s: Mapping[str, float]) -> Iterator[Verdict]:
    for name, title, allowed_mb in (
        ("moorings", "memory of one worker, cache off", MAX_RESIDENT_MB),
        ("moorings-cached", "memory of one worker, its cache included", MAX_RESIDENT_MB + CACHE_MB),
    ):
        sizes = [measured[name].resident_mb for measured in results.values() if name in measured]
        if sizes:
            yield Verdict(
                goal=title,
                wanted=f"≤ {allowed_mb:.0f} MB",
                found=f"{max(sizes):.0f} MB",
                is_kept=max(sizes) <= allowed_mb,
            )
    if "moorings" in started_in_s:
        first = started_in_s["moorings"]
        yield Verdict(
            goal="from the start to the first answer",
            wanted=f"≤ {MAX_START_S} s",
            found=f"{first:.2f} s",
            is_kept=first <= MAX_START_S,
        )
