"""Every order of a list is read by its index on both databases: without sorting, and without reading other rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from models.destinations.table import BackupDestination
from models.pagination import Bounds
from models.reads.listing import EVERYTHING, DestinationOrder, DestinationPosition, OrderField, SliceStatement
from tests.models.reads.test_growth import rows_read
from tests.support.databases.databases import TIMESTAMP, insert, migrated, user
from tests.support.databases.odd_destinations import SEAL
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

ROWS = 4_000
SIZE = 10
VALUES = {
    OrderField.ID: None,
    OrderField.CREATED_AT: 1_722_988_800_000_000,
    OrderField.UPDATED_AT: 1_722_988_800_000_000,
    OrderField.LABEL: "label 50",
    OrderField.KIND: "amazon_s3",
    OrderField.BUCKET_NAME: "bucket 50",
    OrderField.LAST_CHECK: 1_722_988_800_000_000,
}
_COLUMNS = "uid, user_id, label, kind, created_at, updated_at, checked_at, bucket_name, region, path_style_endpoint"
_COLUMNS += ", credentials_set_at, access_key, secret_key"
_REST = f"{TIMESTAMP}, {TIMESTAMP}, CASE WHEN n % 3 = 0 THEN {TIMESTAMP} END, 'bucket ' || n % 97, 'eu-1', false"
_REST += f", {TIMESTAMP}, '{SEAL}', '{SEAL}'"
_TYPED = _REST.replace(TIMESTAMP, f"{TIMESTAMP}::timestamptz")
MANY = {
    "sqlite": f"INSERT INTO backup_destinations ({_COLUMNS}) WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 "  # noqa: S608
    f"FROM s WHERE n < {ROWS}) SELECT printf('%08x-0000-0000-0000-000000000000', n), 1 + n % 2, 'label ' || n % 89, "
    f"'amazon_s3', {_REST} FROM s",
    "postgresql": f"INSERT INTO backup_destinations ({_COLUMNS}) "  # noqa: S608
    f"SELECT gen_random_uuid(), 1 + n % 2, 'label ' || n % 89, 'amazon_s3', {_TYPED} "
    f"FROM generate_series(1, {ROWS}) AS s(n)",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def long_lists(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A database in which two users have many destinations."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


async def test_every_order_has_its_index(long_lists: Gateway) -> None:
    """The first page, one behind a cursor and one before it, in both directions."""
    for name in ("one", "other"):
        await long_lists.rows(insert("users", user(name)))
    await long_lists.rows(MANY[long_lists.engine])
    explain = {"sqlite": explained_by_sqlite, "postgresql": explained_by_postgresql}[long_lists.engine]

    async with long_lists.models():
        if long_lists.engine == "postgresql":
            await BackupDestination._meta.db.execute_query("ANALYZE backup_destinations, check_turns")
        for field, value in VALUES.items():
            position = DestinationPosition(value=value, id=2_000)
            for descending in (False, True):
                order = DestinationOrder(field=field, descending=descending)
                wanted: Sequence[Bounds[DestinationPosition]] = (
                    Bounds(size=SIZE),
                    Bounds(size=SIZE, after=position),
                    Bounds(size=SIZE, before=position, from_end=True),
                )
                for bounds in wanted:
                    await explain(SliceStatement(1, bounds, EVERYTHING, order))


async def explained_by_sqlite(statement: SliceStatement) -> None:
    """Searches of an index, for the user and the position both, without a sort."""
    rows = await statement.connection.execute_query_dict(f"EXPLAIN QUERY PLAN {statement.sql}", statement.parameters)
    tables = ("backup_destinations", "check_turns")
    steps = [row["detail"] for row in rows if any(table in row["detail"] for table in tables)]
    assert not any("TEMP B-TREE" in row["detail"] for row in rows), rows
    assert steps
    beside = "SEARCH backup_destinations USING INTEGER PRIMARY KEY"  # of a row that the index of the turns named
    steps = [step for step in steps if not step.startswith(beside)]
    begin = tuple(f"SEARCH {table} USING {kind}" for table in tables for kind in ("INDEX", "COVERING INDEX"))
    assert all(step.startswith(begin) for step in steps), steps
    if len(statement.parameters) > 2:
        assert all(re.search(r"[<>]\(?\?", step) for step in steps), steps


async def explained_by_postgresql(statement: SliceStatement) -> None:
    """A plan without a sort, whose scans give no more rows than the page has."""
    database: Any = statement.connection
    explained = await database.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.sql}", *statement.parameters)
    plan = json.loads(explained[0][0])[0]["Plan"]
    assert "Sort" not in explained[0][0], (statement.sql, explained[0][0])
    assert rows_read(plan) <= 2 * (SIZE + 1), (statement.sql, explained[0][0])
