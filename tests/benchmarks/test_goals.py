"""What a run is held against, and who runs where meanwhile."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

from benchmarks.goals import of_idle_subscribers, verdicts
from benchmarks.machine import all_on
from benchmarks.report import shares_of_cores
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


def test_an_idle_subscriber_may_take_15_kb() -> None:
    assert [of_idle_subscribers(kb).is_kept for kb in (15.0, 15.1)] == [True, False]


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
