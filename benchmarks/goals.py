"""What the gateway promises beside its peers, and whether a run kept it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.figures import Figures, ratio

Results = Mapping[str, Mapping[str, Figures]]
"""The medians, by scenario and contender."""

MAX_RESIDENT_MB = 90.0
CACHE_MB = 64.0
"""What MOORINGS_RESPONSE_CACHE_BYTES is by default; the scenarios fill it."""

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
    """So many times as many requests a second as a peer.

    `p99` is how much of the peer's it may be, `database` how much of what the peer's read costs PostgreSQL.
    """

    title: str
    scenario: str
    ours: str
    theirs: str
    times: float
    p99: float | None = None
    database: float | None = None


_RIVALRIES = tuple(
    _Rivalry(title=title, scenario=scenario, ours=ours, theirs=theirs, times=times, p99=p99, database=database)
    for title, scenario, ours, theirs, times, p99, database in (
        ("GraphQL, 15, cache off", "graphql-15", "moorings", "mercurius", 1.5, 1.0, 0.25),
        ("GraphQL, 15, cache off", "graphql-15", "moorings", "fastapi-graphql", 30.0, None, None),
        ("GraphQL, 15, cached", "graphql-15", "moorings-cached", "mercurius", 4.0, 0.5, 0.1),
        ("GraphQL, 100, cache off", "graphql-100", "moorings", "mercurius", 1.3, 1.0, None),
        ("GraphQL, 100, cached", "graphql-100", "moorings-cached", "mercurius", 10.0, 0.5, None),
        ("REST, 15, cache off", "rest-15", "moorings", "fastify", 2.0, 1.0, 0.25),
        ("REST, 15, cache off", "rest-15", "moorings", "fastapi-rest", 12.0, None, None),
        ("REST, 15, cached", "rest-15", "moorings-cached", "fastify", 5.0, 0.5, 0.1),
        ("GraphQL, 95 % reads, cache off", "graphql-mix", "moorings", "mercurius", 2.0, None, None),
    )
)


def verdicts(results: Results, started_in_s: Mapping[str, float]) -> list[Verdict]:
    """Every goal that this run can speak to."""
    return [*_beside_peers(results), *_of_two_workers(results), *_alone(results, started_in_s)]


def _beside_peers(results: Results) -> Iterator[Verdict]:
    for one in _RIVALRIES:
        measured = results.get(one.scenario, {})
        if one.ours in measured and one.theirs in measured:
            yield from _judged(one, measured[one.ours], measured[one.theirs])


def _of_two_workers(results: Results) -> Iterator[Verdict]:
    """Two workers beside one: of two cores they have what the load generator leaves, counted as if it were both."""
    measured = results.get("rest-15", {})
    if "moorings" in measured and "moorings-two" in measured:
        one, two = measured["moorings"], measured["moorings-two"]
        taken = two.requests_per_s * two.generator_us / 1e6
        times = ratio(two.requests_per_s * 2 / (2 - taken), one.requests_per_s)
        yield Verdict(
            goal="REST, 15, two workers: requests/s beside one, without what the load generator takes",
            wanted=f"≥ {TWO_WORKERS:g} ×",
            found=f"{times:.2f} ×",
            is_kept=times >= TWO_WORKERS,
        )


def _judged(one: _Rivalry, ours: Figures, theirs: Figures) -> Iterator[Verdict]:
    beside = f"beside {one.theirs}"
    times = ratio(ours.requests_per_s, theirs.requests_per_s)
    yield Verdict(
        goal=f"{one.title}: requests/s {beside}",
        wanted=f"≥ {one.times:g} ×",
        found=f"{times:.2f} ×",
        is_kept=times >= one.times,
    )
    if one.p99 is not None:
        most_ms = theirs.p99_ms * one.p99
        yield Verdict(
            goal=f"{one.title}: p99 {beside}",
            wanted=f"≤ {most_ms:.1f} ms",
            found=f"{ours.p99_ms:.1f} ms",
            is_kept=ours.p99_ms <= most_ms,
        )
    if one.database is not None:
        share = ratio(ours.database_us, theirs.database_us)
        yield Verdict(
            goal=f"{one.title}: PostgreSQL's CPU {beside}",
            wanted=f"≤ {one.database:.2f} ×",
            found=f"{share:.2f} ×",
            is_kept=share <= one.database,
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
