"""Pages of a long list touch few rows: counted by the databases themselves, never timed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import asyncpg
import pytest

from models.reads import statements
from models.reads.reads import ID_LIMIT
from tests.support.databases.databases import TIMESTAMP, insert, migrated, user
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

ROWS = 50_000
SIZE = 15
MOST_BUFFERS = 80
"""Pages of the database, of 8 KiB: the rows, the way down the index, and the user."""
MOST_STEPS = 2_000
"""Of SQLite's machine: some tens for each row and column."""
_COLUMNS = "uid, user_id, label, kind, created_at, updated_at"
_FROM_ALL = f"1, 'A', 'local', {TIMESTAMP}, {TIMESTAMP}"
MANY = {
    "sqlite": f"INSERT INTO backup_destinations ({_COLUMNS}) WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 "  # noqa: S608
    f"FROM s WHERE n < {ROWS}) SELECT printf('%08x-0000-0000-0000-000000000000', n), {_FROM_ALL} FROM s",
    "postgresql": f"INSERT INTO backup_destinations ({_COLUMNS}) "  # noqa: S608 - our own values
    f"SELECT gen_random_uuid(), {_FROM_ALL} FROM generate_series(1, {ROWS})",
}
SPANS: Mapping[str, tuple[tuple[int, ...], bool]] = {
    "the first page": ((1, 0, ID_LIMIT, SIZE), False),
    "a page by key": ((1, ROWS // 2, ID_LIMIT, SIZE), False),
    "a page by key from the end": ((1, 0, ROWS // 2, SIZE), True),
    "the last page by key": ((1, 0, ID_LIMIT, SIZE), True),
}
PAGES: Mapping[str, tuple[tuple[int, ...], bool]] = {
    "the second numbered page": ((1, SIZE, SIZE), False),
    "the last numbered page": ((1, ROWS - SIZE, SIZE), True),
    "the last but one": ((1, ROWS - 2 * SIZE, SIZE), True),
}


def questions(*, is_sqlite: bool) -> Iterator[tuple[str, str, tuple[int | str, ...]]]:
    """What is asked for, the statement and its parameters."""
    for name, (values, from_end) in SPANS.items():
        for all_columns in (False, True):
            for kinds in ((), (",local,",)):
                sql = statements.key_range(
                    from_end=from_end,
                    all_columns=all_columns or is_sqlite,
                    of_kinds=bool(kinds),
                    is_sqlite=is_sqlite,
                )
                yield f"{name}{', of a kind' if kinds else ''}", sql, (*values, *kinds)
    if not is_sqlite:
        yield "the first_page", statements.first_pages(), (1, SIZE)
    for name, (values, from_end) in PAGES.items():
        yield name, statements.numbered_page(from_end=from_end, is_sqlite=is_sqlite), values
    yield "one row", statements.destinations(is_sqlite=is_sqlite), (ROWS // 2,)


@pytest.fixture
def long_list(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A database in which the first user has very many destinations."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


@pytest.mark.parametrize("long_list", ["postgresql"], indirect=True)
async def test_a_page_of_a_long_list_reads_few_rows_on_postgresql(long_list: Gateway) -> None:
    """Also before the server has looked at the tables, as after a restore; and as a plan that fits every value."""
    assert long_list.address.url is not None
    await long_list.rows(insert("users", user("many")))
    await long_list.rows(MANY["postgresql"])
    connection = await asyncpg.connect(long_list.address.url)
    try:
        for preparation in ("SET plan_cache_mode = auto", "VACUUM ANALYZE", "SET plan_cache_mode = force_generic_plan"):
            await connection.execute(preparation)
            for name, sql, values in questions(is_sqlite=False):
                arrays = [[value] for value in values]
                explained = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *arrays)
                plan = json.loads(explained)[0]["Plan"]
                assert rows_read(plan) <= 4 * SIZE, (preparation, name, explained)
                assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= MOST_BUFFERS, (preparation, name)
    finally:
        await connection.close()


@pytest.mark.parametrize("long_list", ["sqlite"], indirect=True)
async def test_a_page_of_a_long_list_reads_few_rows_on_sqlite(long_list: Gateway) -> None:
    """By an index, without sorting and without looking through the table."""
    await long_list.rows(insert("users", user("many")))
    await long_list.rows(MANY["sqlite"])

    with closing(sqlite3.connect(str(long_list.address.path))) as database:
        for name, sql, values in questions(is_sqlite=True):
            plan = [row[-1] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
            assert not any("TEMP B-TREE" in step or step == "SCAN backup_destinations" for step in plan), (name, plan)
            assert any("USING" in step and "backup_destinations" in step for step in plan), (name, plan)
            assert steps_of(database, sql, values) <= MOST_STEPS, name


def rows_read(plan: dict[str, Any]) -> int:
    """The rows that the scans of a plan gave, each time they ran."""
    given = plan["Actual Rows"] if "Scan" in plan["Node Type"] else 0
    own: int = round((given + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"])
    return own + sum(rows_read(below) for below in plan.get("Plans", ()))


def steps_of(database: sqlite3.Connection, sql: str, values: tuple[int | str, ...]) -> int:
    """How many steps SQLite's machine needs, in hundreds."""
    hundreds = 0

    def count() -> int:
        nonlocal hundreds
        hundreds += 1
        return 0

    database.set_progress_handler(count, 100)
    rows = database.execute(sql, values).fetchall()
    database.set_progress_handler(None, 0)
    assert len(rows) in (1, SIZE)
    return hundreds * 100
