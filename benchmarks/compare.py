"""`make bench`: the gateway beside its peers, one run, written to docs/performance."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from benchmarks import before, packages
from benchmarks.command import run
from benchmarks.contenders import CONTENDERS, EMBEDDED, LIVE, Contender
from benchmarks.data import PEOPLE, WRITERS, PostgresStage, Stage, staged
from benchmarks.embedded import embedded
from benchmarks.goals import Beside
from benchmarks.machine import BenchmarkRefused, Cores, facts
from benchmarks.report import Report, write
from benchmarks.rounds import Pace, measure
from benchmarks.scenarios import Scenario, embedded_scenarios, scenarios
from benchmarks.servers import Server, running
from benchmarks.subscribers import ROUNDS, measure_live

PUBLISHED = packages.ROOT / "docs" / "performance"
EMBEDDED_USERS = 20_000
"""Of a whole run, on SQLite at most: it is filled by one connection, row by row."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; 1 with a sentence when nothing could be measured."""
    return run(_parser(), arguments, _compare)


def _compare(given: argparse.Namespace, cores: Cores) -> None:
    folder = given.output or (packages.CACHE / "results" if _is_partial(given) else PUBLISHED)
    report = _measured(given, *_chosen(given), cores)
    write(report, folder)
    if not (given.embedded or given.only or given.live or given.with_):
        given.embedded, given.users = True, min(given.users, EMBEDDED_USERS)
        _, contenders = _chosen(given)
        loads = embedded_scenarios(with_goals=True)
        write(replace(report, embedded=_measured(given, loads, contenders, cores)), folder)


def _measured(
    given: argparse.Namespace, chosen: Sequence[Scenario], contenders: Sequence[Contender], cores: Cores
) -> Report:
    """What a run on one of the databases finds."""
    pace = Pace(rounds=given.rounds, seconds=given.seconds, warm_up_s=given.warm_up)
    live_ones = [one.contender for one in LIVE] if _is_live(given) and not given.embedded else []
    needs = [contender.needs for contender in (*contenders, *live_ones)]
    packages.install(needs)
    groups = [
        replace(group, users=given.users) if group is PEOPLE else group
        for group in dict.fromkeys([scenario.group for scenario in chosen] or [PEOPLE])
    ]
    opened: AbstractContextManager[Stage] = embedded(groups) if given.embedded else staged(groups)
    with opened as stage:
        versions = packages.versions(needs) | {"SQLite" if given.embedded else "PostgreSQL": stage.version()}
        with _running(contenders, stage, cores, chosen) as servers:
            measured = [measure(stage, servers, scenario, pace) for scenario in chosen]
            started = {name: server.started_in_s for name, server in servers.items()}
            sizes = {name: server.started_with_mb for name, server in servers.items()}
        live = None
        if isinstance(stage, PostgresStage) and _is_live(given):
            live = measure_live(stage, stage.callers[groups[0].name], cores, min(ROUNDS, given.rounds))
    return Report(
        facts=facts(versions) | {"users": f"{given.users:,}"},
        before=_before(given, pace, cores),
        pace=pace,
        measured=measured,
        started_in_s=started,
        started_with_mb=sizes,
        is_embedded=given.embedded,
        live=live,
    )


def _before(given: argparse.Namespace, pace: Pace, cores: Cores) -> Beside | None:
    """Writes on SQLite beside those of the version they are held against; None where not all of SQLite is measured."""
    if not given.embedded or given.only or given.with_:
        return None
    try:
        return before.beside(before.BASELINE, pace, cores, users=min(given.users, WRITERS.users))
    except BenchmarkRefused as refusal:
        print(refusal, file=sys.stderr)
        return {}


def _is_live(given: argparse.Namespace) -> bool:
    """Whether subscribers are measured, too."""
    return given.live or not given.only


def _running(
    contenders: Sequence[Contender], stage: Stage, cores: Cores, chosen: Sequence[Scenario]
) -> AbstractContextManager[Mapping[str, Server]]:
    return running(contenders, stage, cores, are_proxied=any(scenario.is_proxied for scenario in chosen))


def _chosen(given: argparse.Namespace) -> tuple[list[Scenario], list[Contender]]:
    """The scenarios and the contenders that are asked in any of them."""
    if given.live and not given.only:
        return [], []
    known = {scenario.name: scenario for scenario in (embedded_scenarios() if given.embedded else scenarios())}
    unknown = [name for name in given.only if name not in known]
    if unknown:
        raise BenchmarkRefused(f"{', '.join(unknown)} is not measured on SQLite.")
    chosen = [known[name] for name in given.only] if given.only else list(known.values())
    all_ = EMBEDDED if given.embedded else CONTENDERS
    left = [one for one in all_ if one.name not in given.without and (not given.with_ or one.name in given.with_)]
    asked = {one.name for scenario in chosen for one in scenario.contenders(left)}
    if not asked:
        raise BenchmarkRefused("No contender is left to measure.")
    return chosen, [one for one in left if one.name in asked]


def _is_partial(given: argparse.Namespace) -> bool:
    """Whether it leaves out so much that it should not replace what is published."""
    return bool(given.only or given.live or given.without or given.with_ or given.users < PEOPLE.users)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    names, titles = [one.name for one in CONTENDERS], [one.name for one in scenarios()]
    parser.add_argument("--only", type=_among(titles), default=[], help=f"scenarios, of {', '.join(titles)}")
    parser.add_argument("--without", type=_among(names), default=[], help=f"contenders, of {', '.join(names)}")
    parser.add_argument("--with", dest="with_", type=_among(names), default=[], help="only these contenders")
    parser.add_argument("--embedded", action="store_true", help="on SQLite, beside the Node peers on node:sqlite")
    parser.add_argument("--live", action="store_true", help="subscribers alone, or beside what --only names")
    parser.add_argument("--users", type=int, default=PEOPLE.users, help="of the loads that have many")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of measuring, per contender and round")
    parser.add_argument("--warm-up", type=float, default=1.5, help="seconds before")
    parser.add_argument("--output", type=Path, help="folder; docs/performance, or below .cache for a part")
    return parser


class _among:  # noqa: N801 - argparse names it in its complaint
    """Reads names separated by commas, each of which must be known."""

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known

    def __call__(self, text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        unknown = [name for name in names if name not in self._known]
        if unknown:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(self._known)}")
        return names


if __name__ == "__main__":
    sys.exit(main())
