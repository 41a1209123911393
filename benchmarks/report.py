"""Writes a comparison down: tables in Markdown, the chart, and every round's figures in JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from benchmarks.before import BASELINE, BEFORE, NOW
from benchmarks.chart import Bar, Panel, draw
from benchmarks.contenders import CONTENDERS, EMBEDDED, Contender
from benchmarks.figures import Figures, ratio
from benchmarks.goals import Beside, Results, Verdict, of_live_events, verdicts
from benchmarks.rounds import Measured, Pace
from benchmarks.subscribers import EVENTS_PER_S, SUBSCRIBERS, Live

PROTOCOLS = {"graphql": "GraphQL", "rest": "REST"}
_COLUMNS = ("contender", "requests/s", "p50 ms", "p99 ms", "server CPU µs", "PostgreSQL CPU µs", "RSS MB")
_LIVE_COLUMNS = ("contender, transport", "p50 ms", "p99 ms", "server CPU µs a change", "kB an idle subscriber")
_BEFORE_COLUMNS = ("load", "requests/s before", "now", "", "CPU µs before", "now")
_CHARTED = ("graphql-hot", "graphql-zipf", "graphql-many", "rest-hot", "rest-zipf", "rest-many")
_NOTES = """One server process on one core; the database, if it is a process, and the load generator on another; 32
connections, each waiting for its answer, or one where that is said; every row with timestamps, a label and a bucket of
its own; medians over the rounds. CPU is that of all processes of the server and of PostgreSQL, per request. Figures of
different machines do not compare: the ratios do."""
_TWO = "Two workers, PostgreSQL and the load generator share both cores, with 32 connections for each worker."


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What one run found."""

    facts: Mapping[str, str]
    pace: Pace
    measured: Sequence[Measured]
    started_in_s: Mapping[str, float]
    started_with_mb: Mapping[str, float]
    is_embedded: bool = False
    live: Live | None = None
    """None where subscribers were not measured."""
    before: Beside | None = None
    """Writes on SQLite beside those of an earlier version; None where they were left out."""
    embedded: Report | None = None
    """The same run on SQLite; None where it was left out."""

    @property
    def contenders(self) -> Mapping[str, Contender]:
        """Those that may have been measured, by name."""
        return {one.name: one for one in (EMBEDDED if self.is_embedded else CONTENDERS)}

    @property
    def results(self) -> Results:
        """The medians, by scenario and contender."""
        return {one.scenario.name: one.medians() for one in self.measured}


def write(report: Report, directory: Path) -> None:
    """Write results.md, chart.svg and results.json into a folder, or embedded.md and embedded.json, and say where."""
    directory.mkdir(parents=True, exist_ok=True)
    name = "embedded" if report.is_embedded else "results"
    (directory / f"{name}.md").write_text(markdown(report))
    if not report.is_embedded:
        (directory / "chart.svg").write_text(draw(list(_panels(report))))
    (directory / f"{name}.json").write_bytes(orjson.dumps(_data(report), option=orjson.OPT_INDENT_2) + b"\n")
    print(markdown(report))
    print(f"Written to {directory}.")


def markdown(report: Report) -> str:
    """The report as Markdown."""
    facts = ", ".join(f"{name} {value}" for name, value in report.facts.items())
    pace = f"{report.pace.rounds} rounds of {report.pace.seconds:g} s"
    title = "# Results on SQLite" if report.is_embedded else "# Results"
    chart = [] if report.is_embedded else ["![Requests per second](chart.svg)"]
    parts = [title, f"{_NOTES}\n\n{pace}; {facts}.", *chart, *_goals(report)]
    if report.live is not None:
        parts.append(_about_live(report.live))
    parts += _loads(report)
    if report.embedded is not None:
        parts.append(f"# On SQLite\n\n{', '.join(f'{name} {value}' for name, value in report.embedded.facts.items())}.")
        parts += _loads(report.embedded)
    return "\n\n".join(parts) + "\n"


def _loads(report: Report) -> Iterator[str]:
    for one in report.measured:
        yield f"## {PROTOCOLS[one.scenario.protocol]}{', SQLite' if report.is_embedded else ''}: {one.scenario.title}"
        yield _table(report, one.medians())
        yield _about_the_load(report, one.medians())
    if report.before:
        yield "## SQLite: 32 writers, beside an fsync for each write"
        yield (
            f"The version of the commit {BASELINE[:7]}, in which each write had an fsync to itself, and this one, in "
            "turns on the same machine and packages, each with a file of its own and the same rows."
        )
        yield table(_BEFORE_COLUMNS, list(_beside(report.before)))


def _beside(before: Beside) -> Iterator[Sequence[str]]:
    for name, sides in before.items():
        protocol, _, load = name.partition("-")
        was, now = sides[BEFORE], sides[NOW]
        yield (
            f"{PROTOCOLS[protocol]}, {load}",
            f"{was.requests_per_s:,.0f}",
            f"{now.requests_per_s:,.0f}",
            f"{ratio(now.requests_per_s, was.requests_per_s):.1f} ×",
            f"{was.server_us:,.0f}",
            f"{now.server_us:,.0f}",
        )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is aligned to the right."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _about_live(live: Live) -> str:
    rows = []
    for one, found in sorted(live.found.items(), key=lambda item: item[1].p99_ms):
        title = f"**{one.title}**" if one.contender.is_ours else one.title
        times = (f"{found.p50_ms:.1f}", f"{found.p99_ms:.1f}")
        rows.append([title, *times, f"{found.server_us:,.0f}", f"{found.kb_of_idle:.1f}"])
    count = min(found.events for found in live.found.values())
    return (
        f"## Live events\n\n{SUBSCRIBERS:,} subscriptions of one user each, and {EVENTS_PER_S} changes a second over "
        f"all users, through each contender's own GraphQL API; p50 and p99 from the commit, by PostgreSQL's clock, to "
        f"the arrival ({count:,} events each). The peers listen to PostgreSQL's NOTIFY, which carries the event.\n\n"
        + table(_LIVE_COLUMNS, rows)
    )


def _verdicts(report: Report) -> list[Verdict]:
    started = report.started_in_s, report.started_with_mb
    found = verdicts(report.results, *started, is_embedded=report.is_embedded, before=report.before)
    if report.live is not None:
        found += of_live_events(report.live)
    if report.embedded is not None:
        found += [replace(one, goal=f"SQLite: {one.goal}") for one in _verdicts(report.embedded)]
    return found


def _goals(report: Report) -> Iterator[str]:
    rows = [[one.goal, one.wanted, one.found, "yes" if one.is_kept else "**no**"] for one in _verdicts(report)]
    if rows:
        yield "## Goals"
        yield table(("goal", "wanted", "found", "kept"), rows)


def _table(report: Report, medians: Mapping[str, Figures]) -> str:
    rows, contenders = [], report.contenders
    for name, found in sorted(medians.items(), key=lambda item: -item[1].requests_per_s):
        title = f"**{contenders[name].title}**" if contenders[name].is_ours else contenders[name].title
        cpu = (f"{found.server_us:,.0f}", f"{found.database_us:,.0f}")
        times = (f"{found.p50_ms:.1f}", f"{found.p99_ms:.1f}")
        rows.append([title, f"{found.requests_per_s:,.0f}", *times, *cpu, f"{found.resident_mb:.0f}"])
    return table(_COLUMNS, rows)


def _about_the_load(report: Report, medians: Mapping[str, Figures]) -> str:
    """What the generator took, so that a reader sees whether it was in the way."""
    contenders = report.contenders
    shares = {name: found.generator_us * found.requests_per_s / 1e6 for name, found in medians.items()}
    fastest = max(shares, key=lambda name: shares[name])
    said = (
        f"The load generator took at most {shares[fastest]:.0%} of its core, {medians[fastest].generator_us:.0f} µs a "
        f"request, for {contenders[fastest].title}."
    )
    shared = [
        f"{_TWO} {shares_of_cores(found, contenders[name].workers)}"
        for name, found in medians.items()
        if contenders[name].workers > 1
    ]
    return " ".join([said, *shared])


def shares_of_cores(found: Figures, cores: int) -> str:
    """What each group of processes took of the cores that all of them shared, and what was left idle."""
    took = {
        "the workers": found.server_us,
        "PostgreSQL": found.database_us,
        "the load generator": found.generator_us,
    }
    shares = {name: us * found.requests_per_s / 1e6 / cores for name, us in took.items()}
    parts = [f"{name} {share:.0%}" for name, share in shares.items()]
    return f"Of {cores} cores they took: {', '.join(parts)}; {max(0.0, 1 - sum(shares.values())):.0%} were idle."


def _panels(report: Report) -> Iterator[Panel]:
    contenders = report.contenders
    for one in report.measured:
        if one.scenario.name in _CHARTED:
            bars = [
                Bar(contenders[name].title, found.requests_per_s, is_ours=contenders[name].is_ours)
                for name, found in sorted(one.medians().items(), key=lambda item: -item[1].requests_per_s)
                if contenders[name].workers == 1
            ]
            title = f"{PROTOCOLS[one.scenario.protocol]}: {one.scenario.title}, requests per second on one core"
            yield Panel(title, bars)


def _data(report: Report) -> dict[str, object]:
    return {
        "facts": report.facts,
        "pace": {"rounds": report.pace.rounds, "seconds": report.pace.seconds, "warm_up_s": report.pace.warm_up_s},
        "started_in_s": {name: round(seconds, 3) for name, seconds in report.started_in_s.items()},
        "live": None if report.live is None else {one.title: asdict(found) for one, found in report.live.found.items()},
        "goals": [
            {"goal": one.goal, "wanted": one.wanted, "found": one.found, "kept": one.is_kept}
            for one in _verdicts(report)
        ],
        "scenarios": _scenarios(report),
        "before": _sides(report if report.embedded is None else report.embedded),
        "embedded": None if report.embedded is None else _scenarios(report.embedded),
    }


def _sides(report: Report) -> dict[str, object]:
    """The writes on SQLite of both versions."""
    before = report.before or {}
    return {name: {side: found.rounded() for side, found in sides.items()} for name, sides in before.items()}


def _scenarios(report: Report) -> dict[str, object]:
    return {
        one.scenario.name: {
            name: {"median": medians.rounded(), "rounds": [figures.rounded() for figures in one.rounds[name]]}
            for name, medians in one.medians().items()
        }
        for one in report.measured
    }
