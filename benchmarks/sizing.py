"""`make bench-sizing`: what a row takes on disk, and what a worker takes of processor, memory and connections.

The rows are made by the gateway's own code, and their tables measured before and after: PostgreSQL says how large a
table and its indexes are, SQLite by its table `dbstat`. The worker is asked over HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from app.database import open_database, parse_address
from benchmarks.command import run
from benchmarks.compare import PUBLISHED
from benchmarks.contenders import CONTENDERS
from benchmarks.data import WRITERS, Group, Stage, staged
from benchmarks.dialects import GATEWAY, Caller, Rest
from benchmarks.embedded import embedded
from benchmarks.figures import Figures, medians
from benchmarks.load import Request
from benchmarks.machine import Cores, facts
from benchmarks.report import table
from benchmarks.rounds import Pace, measure_one
from benchmarks.servers import running
from models.accounts import accounts
from models.accounts.viewer import Protocol
from models.checks.past_checks import DEFAULT_KEPT, keep
from models.checks.report import CheckDepth
from models.destinations.attributes import Attribute, DestinationKind
from models.vault.vault import Vault
from tests.support.databases.services import service_of, viewer_of_token
from tests.support.stores.checking import found

READERS = Group(name="reader", users=500, destinations=20)
ROWS = 2_000
AT_ONCE = 8
"""Destinations that are made at once."""
PAGE = 15
_GATEWAY = next(contender for contender in CONTENDERS if contender.name == "moorings")
_KINDS: Mapping[str, Sequence[str]] = {
    "a destination": ("backup_destinations", "check_turns"),
    "an event": ("events",),
    "an entry of the audit": ("audit",),
    "a check": ("past_checks",),
    "a token": ("tokens",),
}
"""The tables that have a row of each; the first one's rows are counted."""


_A_DAY: Mapping[str, int] = {"an event": 5_000, "an entry of the audit": 5_000, "a token": 33}
"""Rows that come each day at 1,000 users who change five destinations a day and make a token each month."""
_HOURLY: Mapping[str, int] = {"an entry of the audit": 20_000 * 24}
"""Rows that hourly checks add: each opens credentials, which the audit says."""
_FROM_THE_START: Mapping[str, int] = {"a destination": 20_000, "a token": 1_000, "a check": 20_000 * DEFAULT_KEPT}
"""What they have, and the checks that are kept of them."""


@dataclass(frozen=True, slots=True)
class Size:
    """A table: its rows, and the bytes of it and of its indexes."""

    rows: int
    own: int
    indexes: int

    @property
    def each(self) -> float:
        """The bytes of a row and its entries in indexes."""
        return (self.own + self.indexes) / max(1, self.rows)

    def __sub__(self, other: Size) -> Size:
        return Size(self.rows - other.rows, self.own - other.own, self.indexes - other.indexes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both databases and write sizing.md; 1 with a sentence when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="make bench-sizing ARGS=...", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="of each kind")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="per load and round")
    parser.add_argument("--output", type=Path, default=PUBLISHED, help="folder; docs/performance")
    return run(parser, arguments, _size)


def _size(given: argparse.Namespace, cores: Cores) -> None:
    pace = Pace(rounds=given.rounds, seconds=given.seconds, warm_up_s=given.seconds / 4, connections=32)
    rows: dict[str, Mapping[str, Size]] = {}
    workers: dict[str, Mapping[str, Figures]] = {}
    opened: Mapping[str, AbstractContextManager[Stage]] = {
        "PostgreSQL": staged([READERS, WRITERS]),
        "SQLite": embedded([READERS, WRITERS]),
    }
    versions, connections = {}, 0
    for engine, opening in opened.items():
        with opening as stage:
            versions[engine] = stage.version()
            with running([_GATEWAY], stage, cores) as servers:
                server = servers[_GATEWAY.name]
                loads = dict(_loads(stage))
                workers[engine] = {
                    title: medians([measure_one(stage, server, requests, pace) for _ in range(pace.rounds)])
                    for title, requests in loads.items()
                }
                connections = max(connections, asyncio.run(_connections(stage.url)))
            rows[engine] = asyncio.run(_rows(stage, given.rows))
    said = {
        **facts(versions),
        "measured": f"{given.rows} rows of each kind; {pace.rounds} rounds of {pace.seconds:g} s",
    }
    _write(said, rows, workers, connections, given.output)


def _loads(stage: Stage) -> Iterator[tuple[str, list[Request]]]:
    """What the worker is asked, each by 32 connections that wait for their answers."""
    readers, writers = stage.callers[READERS.name], stage.callers[WRITERS.name]
    yield f"REST, a list of {PAGE}", [Rest().listing(caller, PAGE) for caller in readers]
    yield f"GraphQL, a list of {PAGE}", [GATEWAY.listing(caller, PAGE) for caller in readers]
    yield "REST, create", [Rest().create(caller) for caller in _spread(writers)]


def _spread(writers: Sequence[Caller]) -> Sequence[Caller]:
    return writers[: READERS.users]


async def _connections(url: str) -> int:
    """How many connections the gateway has open; 0 on SQLite."""
    if not url.startswith("postgresql"):
        return 0
    connection = await asyncpg.connect(url)
    try:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name IN ('moorings', 'moorings listener')"
        return int(await connection.fetchval(sql))
    finally:
        await connection.close()


async def _rows(stage: Stage, count: int) -> Mapping[str, Size]:
    """What a row of each kind took, made `count` times by the gateway's own code."""
    before = await _sizes(stage.url)
    async with open_database(parse_address(stage.url)):
        user = await accounts.create_user(email="sizing@example.com", name="Sizing")
        tokens = [await accounts.issue_token(user, name="Nightly backups") for _ in range(count)]
        viewer = await viewer_of_token(tokens[0], Protocol.REST)
        service = service_of(Vault(stage.secret_keys))
        numbers = iter(range(count))

        async def make() -> None:
            for number in numbers:
                values: dict[Attribute, object] = {
                    Attribute.LABEL: f"Nightly dumps, project {number}",
                    Attribute.KIND: DestinationKind.CUSTOM_S3,
                    Attribute.ENDPOINT: "https://s3.example.com",
                    Attribute.BUCKET_NAME: f"nightly-dumps-{number}",
                    Attribute.PATH_STYLE_ENDPOINT: True,
                    Attribute.ACCESS_KEY: "AKIAIOSFODNN7EXAMPLE",
                    Attribute.SECRET_KEY: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                }
                row = await service.create(viewer, values)
                await keep(row.id, found(CheckDepth.FULL, reachable=True), DEFAULT_KEPT)

        await asyncio.gather(*(make() for _ in range(AT_ONCE)))
    after = await _sizes(stage.url)
    return {kind: _sum([after[name] - before[name] for name in tables]) for kind, tables in _KINDS.items()}


def _sum(sizes: Sequence[Size]) -> Size:
    return Size(sizes[0].rows, sum(size.own for size in sizes), sum(size.indexes for size in sizes))


async def _sizes(url: str) -> Mapping[str, Size]:
    """The sizes of all measured tables."""
    names = [name for tables in _KINDS.values() for name in tables]
    if not url.startswith("postgresql"):
        return _embedded_sizes(parse_address(url).path or Path(), names)
    connection = await asyncpg.connect(url)
    try:
        measured = dict[str, Size]()
        for name in names:
            (row,) = await connection.fetch(
                f"SELECT (SELECT count(*) FROM {name}), pg_table_size('{name}'), pg_indexes_size('{name}')"  # noqa: S608 - our own names
            )
            measured[name] = Size(*row)
        return measured
    finally:
        await connection.close()


def _embedded_sizes(path: Path, names: Sequence[str]) -> Mapping[str, Size]:
    parts = "SELECT name FROM sqlite_master WHERE tbl_name = ? AND {}"
    sql = f"SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN ({parts})"  # noqa: S608 - our own names
    with closing(sqlite3.connect(path)) as database:
        return {
            name: Size(
                *database.execute(f"SELECT count(*) FROM {name}").fetchone(),  # noqa: S608 - our own names
                *database.execute(sql.format("type = 'table'"), (name,)).fetchone(),
                *database.execute(sql.format("type = 'index'"), (name,)).fetchone(),
            )
            for name in names
        }


def _growth(rows: Mapping[str, Mapping[str, Size]]) -> Iterator[str]:
    """What an installation of 1,000 users with 20 destinations each has, and how it grows."""
    cells = []
    parts = {
        "has from the start": _FROM_THE_START,
        "grows each day by": _A_DAY,
        "and by hourly checks": _HOURLY,
    }
    for title, counts in parts.items():
        sums = [sum(sizes[kind].each * count for kind, count in counts.items()) for sizes in rows.values()]
        cells.append([title, *(f"{total / 1_000_000:,.1f}" for total in sums)])
    yield "## An installation of 1,000 users with 20 destinations each"
    yield "50 checks of each are kept; five changes a user and day, a token a user and month; in MB."
    yield table(["it", *rows], cells)


def _write(
    said: Mapping[str, str],
    rows: Mapping[str, Mapping[str, Size]],
    workers: Mapping[str, Mapping[str, Figures]],
    connections: int,
    directory: Path,
) -> None:
    parts = ["# Sizing", ", ".join(f"{name} {value}" for name, value in said.items()) + "."]
    columns = ("bytes of", *(f"{engine}, {part}" for engine in rows for part in ("row", "indexes")))
    cells = [
        [
            kind,
            *(
                f"{part / max(1, sizes[kind].rows):,.0f}"
                for sizes in rows.values()
                for part in (sizes[kind].own, sizes[kind].indexes)
            ),
        ]
        for kind in _KINDS
    ]
    parts += ["## Rows", table(columns, cells), *_growth(rows)]
    columns = ("load", "database", "requests/s", "worker CPU µs", "PostgreSQL CPU µs", "worker MiB")
    cells = [
        [
            title,
            engine,
            f"{one.requests_per_s:,.0f}",
            f"{one.server_us:,.0f}",
            f"{one.database_us:,.0f}",
            f"{one.resident_mb:,.0f}",
        ]
        for engine, loads in workers.items()
        for title, one in loads.items()
    ]
    parts += [
        "## One worker",
        "On one core, cache off, 32 connections that wait for their answers; CPU of a request.",
        table(columns, cells),
        f"Of its connections to PostgreSQL {connections} were open after that.",
    ]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "sizing.md").write_text(text := "\n\n".join(parts) + "\n")
    print(text)


if __name__ == "__main__":
    sys.exit(main())
