"""A migrated database has exactly the triggers, indexes and constraints that `restore_destination_guards` makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tortoise import Tortoise
from tortoise.migrations.constraints import CheckConstraint
from tortoise.migrations.schema_editor.asyncpg import AsyncpgSchemaEditor
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_editor.sqlite import SqliteSchemaEditor
from tortoise.transactions import in_transaction

from app.database import migrate
from models.destinations.guards import restore_destination_guards
from models.destinations.table import BackupDestination
from tests.support.databases.databases import TIMESTAMP, insert, unserved, user
from tests.support.gateway.gateway import Gateway

GUARDS = {
    "sqlite": """
        SELECT type, name, sql FROM sqlite_master WHERE tbl_name = 'backup_destinations' AND sql IS NOT NULL
        AND type IN ('trigger', 'index') ORDER BY type, name
    """,
    "postgresql": """
        SELECT 'index' AS type, indexname::text AS name, indexdef AS sql FROM pg_indexes
        WHERE tablename = 'backup_destinations'
        UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = 'backup_destinations'::regclass
        UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE NOT tgisinternal AND tgrelid = 'backup_destinations'::regclass
        UNION ALL SELECT 'function', proname, prosrc FROM pg_proc WHERE proname LIKE 'moorings_%destination%'
        ORDER BY 1, 2
    """,
}
OWN = ("backup_destinations_id", "backup_destinations_moments", "backup_destinations_check_moments")
"""The constraints of PostgreSQL that only the guards make."""


@pytest.fixture
def gateway(fresh_database_url: str | None) -> Iterator[Gateway]:
    """A gateway that does not serve, on an empty database of each engine."""
    with unserved(fresh_database_url) as gateway:
        yield gateway


def editor(connection: Any) -> BaseSchemaEditor:
    """A schema editor as a migration has it."""
    is_sqlite = connection.capabilities.dialect == "sqlite"
    return (SqliteSchemaEditor if is_sqlite else AsyncpgSchemaEditor)(connection)


async def guards(gateway: Gateway) -> list[dict[str, Any]]:
    """What guards the table, as the database tells it, on whatever lines it was written."""
    rows = await gateway.rows(GUARDS[gateway.engine])
    return [{**row, "sql": " ".join(row["sql"].split())} for row in rows]


async def restore(gateway: Gateway) -> None:
    """Restore the guards in a transaction, as a migration does."""
    async with gateway.models(), in_transaction() as connection:
        await restore_destination_guards(Tortoise.apps, editor(connection))


async def drop_all(gateway: Gateway) -> None:
    """Drop every guard that can be dropped by itself."""
    for row in await guards(gateway):
        name = row["name"]
        if row["type"] == "trigger":
            on = "" if gateway.engine == "sqlite" else " ON backup_destinations"
            await gateway.rows(f"DROP TRIGGER {name}{on}")
        elif row["type"] == "index" and "UNIQUE" not in row["sql"]:
            await gateway.rows(f'DROP INDEX "{name}"')
        elif row["type"] == "constraint" and name in OWN:
            await gateway.rows(f"ALTER TABLE backup_destinations DROP CONSTRAINT {name}")


async def test_drift_of_the_guards_is_none(gateway: Gateway) -> None:
    """Those of a migrated database are those that `restore_destination_guards` makes from nothing."""
    await migrate(gateway.address)
    migrated = await guards(gateway)
    await drop_all(gateway)
    assert "trigger" not in {row["type"] for row in await guards(gateway)}

    await restore(gateway)

    assert await guards(gateway) == migrated


async def test_restoring_twice_changes_nothing(gateway: Gateway) -> None:
    await migrate(gateway.address)
    migrated = await guards(gateway)

    await restore(gateway)
    await restore(gateway)

    assert await guards(gateway) == migrated


async def test_a_guard_that_differs_is_made_anew(gateway: Gateway) -> None:
    """As after a release that changes one: the name alone does not say that it is right."""
    await migrate(gateway.address)
    migrated = await guards(gateway)
    if gateway.engine == "sqlite":
        await gateway.rows("DROP TRIGGER destinations_numbered")
        await gateway.rows(
            "CREATE TRIGGER destinations_numbered AFTER INSERT ON backup_destinations BEGIN SELECT 1; END"
        )
        await gateway.rows("CREATE TRIGGER stale AFTER INSERT ON backup_destinations BEGIN SELECT 1; END")
    else:
        await gateway.rows("DROP TRIGGER destinations_identity ON backup_destinations")
        for name in ("destinations_identity", "stale"):
            await gateway.rows(
                f"CREATE TRIGGER {name} AFTER INSERT ON backup_destinations "
                "FOR EACH STATEMENT EXECUTE FUNCTION moorings_forget_destinations()"
            )

    await restore(gateway)

    assert await guards(gateway) == migrated


async def test_a_changed_check_constraint_drops_no_guard_and_gives_no_id_again(gateway: Gateway) -> None:
    """SQLite makes the table anew for it, and would lose the triggers, the indexes, and the greatest id ever given."""
    await migrate(gateway.address)
    await gateway.rows(insert("users", user("ada")))
    for number in (1, 2):
        row = {"user_id": "1", "label": "'x'", "kind": "'local'", "created_at": TIMESTAMP, "updated_at": TIMESTAMP}
        uid = f"'{number:08}-0000-4000-8000-000000000000'"
        await gateway.rows(insert("backup_destinations", row | {"uid": uid}))
    event = {"user_id": "1", "kind": "'deleted'", "destination_id": "2", "label": "'x'", "protocol": "'rest'"}
    await gateway.rows(insert("events", event | {"occurred_at": TIMESTAMP}))
    await gateway.rows("DELETE FROM backup_destinations WHERE id = 2")
    migrated = await guards(gateway)

    async with gateway.models(), in_transaction() as connection:
        label, *_ = BackupDestination._meta.constraints
        assert isinstance(label, CheckConstraint)
        changing = editor(connection)
        await changing.remove_constraint(BackupDestination, label)
        await changing.add_constraint(BackupDestination, label)
        await restore_destination_guards(Tortoise.apps, changing)

    assert await guards(gateway) == migrated
    row = {"user_id": "1", "label": "'x'", "kind": "'local'", "created_at": TIMESTAMP, "updated_at": TIMESTAMP}
    await gateway.rows(insert("backup_destinations", row | {"uid": "'00000003-0000-4000-8000-000000000000'"}))
    assert await gateway.rows("SELECT max(id) AS id FROM backup_destinations") == [{"id": 3}]
    assert await gateway.rows("SELECT destination_count AS n FROM users") == [{"n": 2}]
