"""Copies a whole embedded database into an empty, migrated PostgreSQL, and compares every row that was written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from models.database.connecting.servers import connect

BATCH = 1_000
_CONNECT_S = 10.0
_MIGRATIONS = "tortoise_migrations"
_TABLES = """
SELECT c.relname AS name, array_remove(array_agg(DISTINCT f.confrelid::regclass::text), c.relname::text) AS needs
FROM pg_class c LEFT JOIN pg_constraint f ON f.conrelid = c.oid AND f.contype = 'f'
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname <> $1 GROUP BY c.relname
"""
_COLUMNS = """
SELECT column_name AS name, data_type AS type FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position
"""
_KEY = """
SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = $1::regclass AND i.indisprimary
"""
Row = tuple[Any, ...]


class CopyRefused(Exception):
    """The copy was given up, and the target is as it was; `str()` says why."""


async def copy_to_postgresql(path: Path, url: str) -> dict[str, int]:
    """Copy every row, in one transaction; returns how many rows each table has.

    Each row is read back and compared. Raises `CopyRefused` when the target has users, when a row differs, or when the
    source was written meanwhile.
    """
    target = await connect(url, timeout=_CONNECT_S)
    try:
        address = f"{path.as_uri()}?mode=ro"
        with (
            closing(sqlite3.connect(address, uri=True)) as source,
            closing(sqlite3.connect(address, uri=True)) as watch,
        ):
            (before,) = watch.execute("PRAGMA data_version").fetchone()
            source.execute("BEGIN")
            async with target.transaction():
                counts = await _copy(source, target)
                (after,) = watch.execute("PRAGMA data_version").fetchone()
                if after != before:
                    raise CopyRefused("The source was written meanwhile; stop the gateway, and copy again.")
            return counts
    finally:
        target.terminate()


async def _copy(source: sqlite3.Connection, target: asyncpg.Connection) -> dict[str, int]:
    if await target.fetchval("SELECT EXISTS (SELECT 1 FROM users)"):
        raise CopyRefused("The target has users already; name an empty database.")
    tables = _in_order(await target.fetch(_TABLES, _MIGRATIONS))
    theirs = {name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    unknown = theirs - set(tables) - {_MIGRATIONS, "sqlite_sequence"}
    if unknown or set(tables) - theirs:
        raise CopyRefused(
            f"Only one of the two has these tables: {', '.join(sorted(unknown ^ (set(tables) - theirs)))}."
        )
    for table in tables:
        await target.execute(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
        await target.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
    counts = {table: await _copy_table(source, target, table) for table in tables}
    for table in tables:
        await target.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER USER')
    return counts


def _in_order(found: Sequence[asyncpg.Record]) -> list[str]:
    """Tables, each after those that it refers to."""
    waiting = {row["name"]: {name for name in row["needs"] if name} for row in found}
    ordered: list[str] = []
    while waiting:
        ready = sorted(name for name, needs in waiting.items() if needs <= set(ordered))
        ordered += ready
        waiting = {name: needs for name, needs in waiting.items() if name not in ready}
    return ordered


async def _copy_table(source: sqlite3.Connection, target: asyncpg.Connection, table: str) -> int:
    columns = {row["name"]: _READ.get(row["type"], _as_it_is) for row in await target.fetch(_COLUMNS, table)}
    key = await target.fetchval(_KEY, f'"{table}"')
    names, place = list(columns), list(columns).index(key)
    await target.execute(f'DELETE FROM "{table}"')  # noqa: S608 - a name of the catalogue; a proof of the key may be there
    count = 0
    quoted = ", ".join(f'"{name}"' for name in names)
    for rows in _batches(source.execute(f'SELECT {quoted} FROM "{table}"'), list(columns.values())):  # noqa: S608
        await target.copy_records_to_table(table, records=rows, columns=names)
        written = await target.fetch(
            f'SELECT {quoted} FROM "{table}" WHERE "{key}" = ANY ($1)',  # noqa: S608 - names of the catalogue
            [row[place] for row in rows],
        )
        found = {row[key]: tuple(row) for row in written}
        for row in rows:
            if found.get(row[place]) != row:
                raise CopyRefused(f"The row {row[place]} of {table} is not the same after it was written.")
        count += len(rows)
    if await target.fetchval(f'SELECT count(*) FROM "{table}"') != count:  # noqa: S608
        raise CopyRefused(f"{table} has another number of rows than were written.")
    given = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    await _continue_sequence(target, table, key, after=given[0] if given else 0)
    return count


async def _continue_sequence(target: asyncpg.Connection, table: str, key: str, *, after: int) -> None:
    """Let the next row have a number that no row had, also none that is gone; `after` is the last that was given."""
    sequence = await target.fetchval("SELECT pg_get_serial_sequence($1, $2)", f'"{table}"', key)
    if sequence is None:
        return
    last = max(after, await target.fetchval(f'SELECT coalesce(max("{key}"), 0) FROM "{table}"'))  # noqa: S608
    await target.execute("SELECT setval($1::text::regclass, $2, $3)", sequence, max(last, 1), last > 0)


def _batches(cursor: sqlite3.Cursor, reads: list[Callable[[Any], Any]]) -> Iterator[list[Row]]:
    while rows := cursor.fetchmany(BATCH):
        yield [
            tuple(None if value is None else read(value) for read, value in zip(reads, row, strict=True))
            for row in rows
        ]


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _as_it_is(value: Any) -> Any:
    return value


_READ: dict[str, Callable[[Any], Any]] = {
    "timestamp with time zone": _time,
    "boolean": bool,
    "uuid": UUID,
}
"""How SQLite's value of a column of this type of PostgreSQL is read."""
