"""What a run is held against, and who runs where meanwhile."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.before import BEFORE, NOW
from benchmarks.contenders import LIVE
from benchmarks.goals import of_live_events, verdicts
from benchmarks.machine import all_on
from benchmarks.report import Report, markdown, shares_of_cores
from benchmarks.rounds import Measured, Pace
from benchmarks.scenarios import embedded_scenarios
from benchmarks.subscribers import Lateness, Live
from tests.benchmarks.test_benchmarks import FIGURES


def test_a_goal_is_kept_or_not() -> None:
    theirs, ours = FIGURES, replace(FIGURES, requests_per_s=2_100, p50_ms=1.5)
    results = {
        "graphql-zipf": {"mercurius": theirs, "moorings": ours, "moorings-cached": ours},
        "rest-single": {"fastify": theirs, "moorings": ours, "moorings-cached": theirs},
    }

    found = verdicts(results, {"moorings": 1.0}, {"moorings": 81.0})

    assert [(verdict.found, verdict.is_kept) for verdict in found] == [
        ("2.10 ×", True),
        ("2.10 ×", False),
        ("1.50 × (1.50 ms)", False),
        ("1.00 × (1.00 ms)", True),
        ("0 MB", True),
        ("81 MB", False),
        ("1 s", True),
    ]


def test_two_workers_are_judged_by_what_the_load_generator_leaves_them() -> None:
    """At 20,000 requests a second of 20 µs it takes 0.4 of two cores."""
    one, two = replace(FIGURES, requests_per_s=16_000), replace(FIGURES, requests_per_s=20_000, generator_us=20)

    found = verdicts({"rest-hot": {"moorings": one, "moorings-two": two}}, {}, {})

    assert next(verdict.found for verdict in found if "two workers" in verdict.goal) == "1.56 ×"


def test_a_whole_run_has_the_loads_and_goals_of_sqlite_too() -> None:
    """In the same tables of goals, and with the tables of its own loads. Writes are held against an earlier version."""
    loads = {one.name: one for one in embedded_scenarios(with_goals=True)}
    rates = {"mercurius": 1_000, "moorings": 1_701}
    rounds = {name: [replace(FIGURES, requests_per_s=rate)] for name, rate in rates.items()}
    pace = Pace(rounds=1, seconds=1.0)

    sides = {NOW: replace(FIGURES, requests_per_s=300), BEFORE: replace(FIGURES, requests_per_s=100)}

    def report(names: Sequence[str], *, is_embedded: bool, embedded: Report | None = None) -> Report:
        measured = [Measured(loads[name], rounds) for name in names]
        return Report(
            facts={"users": "1"},
            pace=pace,
            measured=measured,
            started_in_s={},
            started_with_mb={},
            is_embedded=is_embedded,
            embedded=embedded,
            before={"graphql-update": sides} if is_embedded else None,
        )

    sqlite = report(["graphql-zipf", "graphql-update"], is_embedded=True)
    text = markdown(report(["graphql-update"], is_embedded=False, embedded=sqlite))

    assert sorted(loads) == sorted(f"{p}-{n}" for p in ("graphql", "rest") for n in ("hot", "zipf", "create", "update"))
    assert "| GraphQL, update, cache off: requests/s beside mercurius | ≥ 2.5 × | 1.70 × | **no** |" in text
    assert "| SQLite: GraphQL, zipf, cache off: requests/s beside mercurius | ≥ 1.2 × | 1.70 × | yes |" in text
    goal = "| SQLite: GraphQL, {}, 32 writers: requests/s beside an fsync each (925a556) | ≥ 3 × | {} |"
    assert goal.format("update", "3.00 × (300) | yes") in text
    assert goal.format("create", "not measured | **no**") in text
    assert "| GraphQL, update | 100 | 300 | 3.0 × | 100 | 100 |" in text
    assert (
        text.index("## GraphQL: new labels") < text.index("# On SQLite") < text.index("## GraphQL, SQLite: new labels")
    )


LATENESS = Lateness(p50_ms=5.0, p99_ms=20.0, events=1_000, kb_of_idle=15.0, server_us=1_000.0)


def test_live_events_are_held_against_half_of_the_p99_of_the_best_peer_over_any_transport() -> None:
    """The gateway over server-sent events and a WebSocket, then Mercurius, Yoga and Yoga again."""
    p99s_ms, sizes_kb = (10.0, 10.2, 40.0, 20.0, 30.0), (15.0, 15.1, 90.0, 90.0, 30.0)
    each = zip(LIVE, p99s_ms, sizes_kb, strict=True)
    live = Live(found={one: replace(LATENESS, p99_ms=p99, kb_of_idle=kb) for one, p99, kb in each})

    found = list(of_live_events(live))

    assert [(verdict.found, verdict.is_kept) for verdict in found] == [
        ("0.50 × (10.0 ms)", True),
        ("0.51 × (10.2 ms)", False),
        ("15.0 kB", True),
        ("15.1 kB", False),
    ]
    assert found[0].goal == (
        "live events, server-sent events: p99 from commit to arrival beside GraphQL Yoga, pg, server-sent events"
    )


def test_a_run_of_subscribers_alone_has_their_goals_and_table() -> None:
    live = Live(found=dict.fromkeys(LIVE, LATENESS))
    pace = Pace(rounds=1, seconds=1.0)

    text = markdown(Report(facts={}, pace=pace, measured=[], started_in_s={}, started_with_mb={}, live=live))

    assert text.count("1.00 × (20.0 ms) | **no** |") == 2
    assert "| **Moorings, WebSocket** | 5.0 | 20.0 | 1,000 | 15.0 |" in text


def test_two_workers_are_told_apart_from_the_database_and_the_load_generator() -> None:
    found = replace(FIGURES, requests_per_s=10_000, server_us=100, database_us=50, generator_us=20)

    assert shares_of_cores(found, 2) == (
        "Of 2 cores they took: the workers 50%, PostgreSQL 25%, the load generator 10%; 15% were idle."
    )


def test_everybody_has_the_same_cores_for_a_while() -> None:
    before = os.sched_getaffinity(0)
    one = frozenset(sorted(before)[:1])
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        with all_on(one, other.pid):
            assert [os.sched_getaffinity(pid) for pid in (0, other.pid)] == [one, one]
        assert [os.sched_getaffinity(pid) for pid in (0, other.pid)] == [before, before]
        other.kill()
