"""Rows are only added to the audit, whatever SQL is tried; old ones go in one way alone, by the retention."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from models.audit.entry import AuditEntry, AuditKind
from models.audit.retention import prune
from tests.support.databases.databases import ENGINES, Literals, insert, migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

WRITES = [
    "UPDATE audit SET subject = 'nothing'",
    "UPDATE audit SET address = NULL WHERE 1 = 1",
    "DELETE FROM audit",
    "DELETE FROM audit WHERE occurred_at < '2021-01-01 00:00:00+00:00'",
]
OF_ONE_ENGINE = {
    "sqlite": [
        "REPLACE INTO audit SELECT id, occurred_at, kind, 'gateway', os_user, user_id, token_id, subject, address, "
        "protocol, request_id, detail FROM audit",
        "INSERT OR REPLACE INTO audit (id, occurred_at, kind, actor, subject, detail) "
        "SELECT id, occurred_at, kind, actor, 'x', detail FROM audit",
    ],
    "postgresql": [
        "TRUNCATE audit",
        "WITH gone AS (DELETE FROM audit RETURNING id) SELECT count(*) FROM gone",
        "INSERT INTO audit (id, occurred_at, kind, actor, subject, detail) SELECT id, occurred_at, kind, actor, 'x', "
        "detail FROM audit ON CONFLICT (id) DO UPDATE SET subject = 'x'",
    ],
}


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A migrated database of each engine."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


def entry(subject: str, occurred_at: datetime) -> Literals:
    """A row of the audit."""
    return {
        "occurred_at": f"'{occurred_at:%Y-%m-%d %H:%M:%S}+00:00'",
        "kind": f"'{AuditKind.USER_CREATED.value}'",
        "actor": "'operator'",
        "subject": f"'{subject}'",
        "detail": "'{}'",
    }


async def subjects(database: Gateway) -> list[str]:
    """What the entries are about, the oldest first."""
    return [row["subject"] for row in await database.rows("SELECT subject FROM audit ORDER BY id")]


async def test_no_statement_changes_or_removes_an_entry(database: Gateway) -> None:
    await database.rows(insert("audit", entry("long ago", datetime(2020, 1, 1, tzinfo=UTC))))
    before = await database.rows("SELECT * FROM audit ORDER BY id")

    for statement in WRITES + OF_ONE_ENGINE[database.engine]:
        with pytest.raises(Exception, match="rows are only added to the audit"):
            await database.rows(statement)

    assert await database.rows("SELECT * FROM audit ORDER BY id") == before


async def test_the_retention_removes_what_is_older_in_steps_and_leaves_its_own_entry(database: Gateway) -> None:
    now = datetime.now(UTC)
    for number in range(7):
        await database.rows(insert("audit", entry(f"old {number}", now - timedelta(days=40))))
    await database.rows(insert("audit", entry("young", now - timedelta(days=20))))

    async with database.models():
        removed = await prune(timedelta(days=30), step=3)
        (pruned,) = await AuditEntry.filter(kind=AuditKind.AUDIT_PRUNED)

    assert removed >= 7
    assert [subject for subject in await subjects(database) if subject.startswith("old")] == []
    assert "young" in await subjects(database)
    assert f'"removed":{removed}' in pruned.detail
    assert await database.rows("SELECT * FROM audit_pruning") == []


async def test_what_is_younger_than_a_day_is_not_even_removed_in_the_permitted_way(database: Gateway) -> None:
    horizon = f"{datetime.now(UTC) - timedelta(hours=23):%Y-%m-%d %H:%M:%S}+00:00"

    with pytest.raises(Exception, match="younger than a day are never removed"):
        await database.rows(insert("audit_pruning", {"id": "1", "horizon": f"'{horizon}'"}))


async def test_a_retention_of_seconds_removes_nothing_of_today(database: Gateway) -> None:
    await database.rows(insert("audit", entry("today", datetime.now(UTC) - timedelta(hours=2))))

    async with database.models():
        await prune(timedelta(seconds=1))

    assert "today" in await subjects(database)
