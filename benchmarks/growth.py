"""`make bench-growth`: what a page costs a user with twenty destinations, and one with a million.

Over HTTP, one connection, the cache off, each request again and again for a while.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import orjson

from benchmarks import packages
from benchmarks.command import run
from benchmarks.compare import PUBLISHED
from benchmarks.contenders import CONTENDERS
from benchmarks.data import WRITERS, Group, Stage, staged
from benchmarks.dialects import LABEL, Caller, get, post
from benchmarks.embedded import embedded
from benchmarks.figures import Figures, medians, ratio
from benchmarks.load import Expected, Request
from benchmarks.machine import BenchmarkRefused, Cores, facts
from benchmarks.report import table
from benchmarks.rounds import Pace, measure_one
from benchmarks.servers import Server, running
from benchmarks.verification import answer

SIZES = (20, 1_000, 100_000, 1_000_000)
PAGE = 15
PATH = "/api/backup-destinations"
_GATEWAY = next(contender for contender in CONTENDERS if contender.name == "moorings")
_PAGE_OF = """query Page($first: Int, $last: Int, $after: String) {
  backupDestinations(first: $first, last: $last, after: $after) {
    totalCount pageInfo { hasNextPage hasPreviousPage } edges { cursor node { id label kindName createdAt } }
  }
}"""
_TOTAL = "query Total { backupDestinations(first: 0) { totalCount } }"
_CURSOR = """query Cursor($label: String!) {
  backupDestinations(first: 1, filter: {labelContains: $label}) { edges { cursor node { label } } }
}"""

Found = dict[str, dict[int, Figures]]
"""The medians, by request and by size."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write growth.md; 1 with a sentence when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="make bench-growth ARGS=...", description=__doc__)
    parser.add_argument("--engine", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--sizes", type=_numbers, default=list(SIZES), help="destinations, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="per request, size and round")
    parser.add_argument("--output", type=Path, help="folder; docs/performance, or below .cache for other sizes")
    return run(parser, arguments, _grow)


def _grow(given: argparse.Namespace, cores: Cores) -> None:
    # Among others: a database that knows three users would plan for three.
    groups = [WRITERS, *(Group(name=str(size), users=1, destinations=size) for size in given.sizes)]
    opened: AbstractContextManager[Stage] = staged(groups) if given.engine == "postgresql" else embedded(groups)
    pace = Pace(rounds=given.rounds, seconds=given.seconds, warm_up_s=given.seconds / 4, connections=1)
    with opened as stage, running([_GATEWAY], stage, cores) as servers:
        found = _measure(stage, servers[_GATEWAY.name], given.sizes, pace)
        said = facts({given.engine: stage.version()})
    published = PUBLISHED if given.sizes == list(SIZES) else packages.CACHE / "results"
    said["measured"] = f"{pace.rounds} rounds of {pace.seconds:g} s"
    _write(found, said, (given.output or published), given.engine)


def _measure(stage: Stage, server: Server, sizes: Sequence[int], pace: Pace) -> Found:
    """Sizes take turns within a request, so that a change of what else the machine does affects all of them."""
    asked = {size: dict(_questions(server, stage.callers[str(size)][0])) for size in sizes}
    found: Found = {}
    for title in asked[sizes[0]]:
        rounds: dict[int, list[Figures]] = {size: [] for size in sizes}
        for _ in range(pace.rounds):
            for size in sizes:
                rounds[size].append(measure_one(stage, server, [asked[size][title]], pace))
        found[title] = {size: medians(figures) for size, figures in rounds.items()}
        print(title, file=sys.stderr, flush=True)
    return found


def _questions(server: Server, caller: Caller) -> Iterator[tuple[str, Request]]:
    """What is asked of every size."""
    last = -(-caller.total // PAGE)
    left = caller.total - (last - 1) * PAGE
    for title, number, count in (("first", 1, PAGE), ("middle", last // 2, PAGE), ("last", last, left)):
        expected = Expected(marker=LABEL, count=count)
        yield f"REST, {title} page", get(caller, f"{PATH}?page={number}", expected=expected)
    pages: Mapping[str, Mapping[str, object]] = {
        "at the start": {"first": PAGE},
        "in the middle": {"first": PAGE, "after": _cursor(server, caller, min(caller.total - PAGE, caller.total // 2))},
        "at the end": {"last": PAGE},
    }
    for title, variables in pages.items():
        yield f"GraphQL, {title}", post(caller, _PAGE_OF, variables, expected=Expected(marker=LABEL, count=PAGE))
    yield (
        "GraphQL, totalCount",
        post(caller, _TOTAL, {}, expected=Expected(marker=b'"totalCount":%d' % caller.total, count=1)),
    )


def _cursor(server: Server, caller: Caller, number: int) -> str:
    """Where that destination is; its label is looked for, since clients do not make cursors."""
    label = f"project {number}"
    request = post(caller, _CURSOR, {"label": label}, expected=Expected(marker=LABEL, count=1))
    (edge,) = orjson.loads(answer(server.port, request))["data"]["backupDestinations"]["edges"]
    if not edge["node"]["label"].endswith(label):
        raise BenchmarkRefused(f"The gateway answers {edge['node']['label']!r} to a search for {label!r}.")
    return str(edge["cursor"])


def _write(found: Found, said: Mapping[str, str], directory: Path, engine: str) -> None:
    sizes = list(next(iter(found.values())))
    columns = ("request", *(f"{size:,}" for size in sizes), f"{sizes[-1]:,} beside {sizes[0]:,}")
    parts = [f"# Growth on {engine}", ", ".join(f"{name} {value}" for name, value in said.items()) + "."]
    for title, figure in (("median ms", "p50_ms"), ("server CPU µs", "server_us"), ("database CPU µs", "database_us")):
        values = {request: [float(getattr(one, figure)) for one in by.values()] for request, by in found.items()}
        if any(map(any, values.values())):
            rows = [[request, *_cells(row)] for request, row in values.items()]
            parts += [f"## A user's destinations, {title}", table(columns, rows)]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"growth-{engine}.md").write_text(text := "\n\n".join(parts) + "\n")
    print(text)
    print(f"Written to {directory}.")


def _cells(values: Sequence[float]) -> Iterator[str]:
    for value in values:
        yield f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
    yield f"{ratio(values[-1], values[0]):.2f} ×"


def _numbers(text: str) -> list[int]:
    sizes = [int(part) for part in text.replace("_", "").split(",")]
    if min(sizes) < 2 * PAGE - 10:
        raise argparse.ArgumentTypeError(f"a user needs {2 * PAGE - 10} destinations to have two pages")
    return sizes


if __name__ == "__main__":
    sys.exit(main())
