"""The migrations: they match the models, one process at a time applies them, and a killed one leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from tortoise import Tortoise, fields
from tortoise.indexes import Index
from tortoise.migrations.autodetector import MigrationAutodetector

import models.migrations
from app.database import migrate, orm_config
from models.accounts.user import User
from models.destinations.table import BackupDestination
from tests.support.databases import migrating
from tests.support.databases.databases import TIMESTAMP, insert, unserved, user
from tests.support.gateway.gateway import Gateway

MIGRATIONS = sorted(path.stem for path in Path(models.migrations.__path__[0]).glob("0*.py"))
SEALED = "'s1:0123456789ab:c2VhbGVk'"
SCHEMA = {
    "sqlite": "SELECT type, tbl_name AS of, name, sql FROM sqlite_master ORDER BY type, name",
    "postgresql": """
        SELECT 'column' AS type, table_name AS of, column_name AS name,
            concat_ws(' ', data_type, is_nullable, column_default, collation_name) AS sql
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE NOT tgisinternal
        ORDER BY 1, 2, 3
    """,
}
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "sqlite": {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 2000},
    "postgresql": {
        "synchronous_commit": "on",
        "statement_timeout": "3500ms",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "10s",
        "timezone": "UTC",
    },
}
"""What is in force on every connection; for SQLite, 2 is FULL."""

CHECKS = ("users_name_length", "users_email_length", "backup_destinations_label", "backup_destinations_shape")
TRIGGERS = {
    "backup_destinations": {"added", "changed", "removed", "identity"},
    "events": {"added", "changed", "removed"},
    "users": {"changed", "backwards"},
}
"""What both engines have; the names go on after the table's own."""


@pytest.fixture
def gateway(fresh_database_url: str | None) -> Iterator[Gateway]:
    """A gateway that does not serve, on an empty database of each engine."""
    with unserved(fresh_database_url) as gateway:
        yield gateway


async def schema(gateway: Gateway) -> list[dict[str, Any]]:
    """Everything the database says of its own form."""
    return await gateway.rows(SCHEMA[gateway.engine])


async def applied(gateway: Gateway) -> list[str]:
    """The migrations it has, in the order they came."""
    return [row["name"] for row in await gateway.rows("SELECT name FROM tortoise_migrations ORDER BY id")]


async def drift(gateway: Gateway) -> str:
    """What `tortoise makemigrations` would write now."""
    assert Tortoise.apps is not None
    writers = await MigrationAutodetector(Tortoise.apps, orm_config(gateway.address)["apps"]).changes()
    return " ".join(writer.as_string() for writer in writers)


async def test_there_is_no_drift_between_the_models_and_the_migrations(gateway: Gateway) -> None:
    """`tortoise makemigrations` would write nothing."""
    async with gateway.models():
        assert await drift(gateway) == ""


async def test_a_drift_would_be_found(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that finding none means something: in a field, an index or a constraint."""
    async with gateway.models():
        with monkeypatch.context() as planted:
            planted.setitem(User._meta.fields_map, "nickname", fields.CharField(max_length=20, null=True))
            assert "nickname" in await drift(gateway)
        with monkeypatch.context() as planted:
            indexes = (*BackupDestination._meta.indexes, Index(fields=["user_id", "kind"]))
            planted.setattr(BackupDestination._meta, "indexes", indexes)
            assert "kind" in await drift(gateway)
        with monkeypatch.context() as planted:
            forgotten, *others = User._meta.constraints
            planted.setattr(User._meta, "constraints", others)
            assert forgotten.name in await drift(gateway)


async def test_of_four_processes_at_once_one_migrates_and_all_succeed(gateway: Gateway) -> None:
    """The others find nothing left to do when their turn comes."""
    processes = []
    try:
        async with migrating.nobody_migrates(gateway) as all_wait:
            processes = [migrating.start(gateway) for _ in range(4)]
            await all_wait(processes)
    finally:
        outputs = [process.communicate(timeout=migrating.DEADLINE_S)[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * 4, outputs
    assert await applied(gateway) == MIGRATIONS


async def test_what_a_killed_migration_began_is_undone_and_the_next_one_finishes(gateway: Gateway) -> None:
    """All of the migrations or none, whatever the moment."""
    await migrating.kill_in_the_middle(gateway)
    assert await schema(gateway) == []
    await migrating.kill_at_first_sight(gateway)
    assert await schema(gateway) == [] or await applied(gateway) == MIGRATIONS

    await migrate(gateway.address)

    assert await applied(gateway) == MIGRATIONS
    await gateway.new_user()


async def test_migrating_twice_changes_nothing(gateway: Gateway) -> None:
    """Neither the form of the database nor what is in it."""
    await migrate(gateway.address)
    await gateway.rows(insert("users", user("ada")))
    before = [await schema(gateway), await gateway.rows("SELECT * FROM users"), await applied(gateway)]

    await migrate(gateway.address)

    assert [await schema(gateway), await gateway.rows("SELECT * FROM users"), await applied(gateway)] == before


async def test_the_migrated_database_has_its_indexes_constraints_and_triggers(gateway: Gateway) -> None:
    """Those the ORM does not write by itself are the ones that get lost."""
    await migrate(gateway.address)
    parts = await schema(gateway)

    for table in ("backup_destinations", "events"):
        indexes = [part["sql"] or "" for part in parts if part["type"] == "index" and part["of"] == table]
        assert any(index.replace('"', "").endswith("(user_id, id)") for index in indexes), table
    whole = " ".join(f"{part['name']} {part['sql']}" for part in parts if part["type"] in ("table", "constraint"))
    assert all(check in whole for check in CHECKS)
    for table, names in TRIGGERS.items():
        triggers = {part["name"] for part in parts if part["type"] == "trigger" and part["of"] == table}
        assert triggers >= {f"{table.removeprefix('backup_')}_{name}" for name in names}


async def test_the_id_of_a_deleted_last_row_does_not_come_back(gateway: Gateway) -> None:
    """An old link must not lead to somebody else's new destination; SQLite would give the number again."""
    await migrate(gateway.address)
    row = {"label": "'x'", "kind": "'local'", "created_at": TIMESTAMP, "updated_at": TIMESTAMP}
    seen: list[tuple[int, int]] = []
    for name in ("ada", "bob"):
        await gateway.rows(insert("users", user(name)))
        (owner,) = await gateway.rows("SELECT id FROM users")
        await gateway.rows(insert("backup_destinations", row | {"uid": f"'{uuid4()}'", "user_id": str(owner["id"])}))
        (destination,) = await gateway.rows("SELECT id FROM backup_destinations")
        seen.append((owner["id"], destination["id"]))
        await gateway.rows("DELETE FROM users")

    (first, second) = seen
    assert (first[0] < second[0], first[1] < second[1]) == (True, True)


@pytest.mark.parametrize("fresh_database_url", ["postgresql"], indirect=True)
async def test_what_a_restore_of_an_older_backup_leaves_behind_is_made_anew(gateway: Gateway) -> None:
    """`pg_restore --clean` drops what the backup knows; the tables of checks, with rows of before, it does not know."""
    await migrate(gateway.address)
    now = await schema(gateway)
    await gateway.rows(insert("users", user("ada")))
    (owner,) = await gateway.rows("SELECT id FROM users")
    row = {"label": "'x'", "kind": "'amazon_s3'", "created_at": TIMESTAMP, "updated_at": TIMESTAMP}
    row |= {"bucket_name": "'b'", "region": "'eu-north-1'", "path_style_endpoint": "TRUE"}
    row |= {"access_key": SEALED, "secret_key": SEALED, "credentials_set_at": TIMESTAMP}
    await gateway.rows(insert("backup_destinations", row | {"uid": f"'{uuid4()}'", "user_id": str(owner["id"])}))
    turns = await gateway.rows("SELECT * FROM check_turns")
    assert len(turns) == 1
    await gateway.rows("INSERT INTO check_turns (destination_id, user_id) VALUES (1000, 1000)")
    await gateway.rows("ALTER TABLE users DROP COLUMN checks_revision")
    await gateway.rows("DELETE FROM tortoise_migrations WHERE name >= '0017_check_turns'")

    await migrate(gateway.address)

    assert await gateway.rows("SELECT * FROM check_turns") == turns
    assert sorted(map(str, await schema(gateway))) == sorted(map(str, now))


async def test_what_came_in_while_triggers_were_off_gets_its_turn_and_no_token_the_id_of_another(
    gateway: Gateway,
) -> None:
    """A copy into another database had begun the ids of tokens anew, though the audit names those that are gone."""
    await migrate(gateway.address)
    await gateway.rows(insert("users", user("ada")))
    (owner,) = await gateway.rows("SELECT id FROM users")
    row = {"label": "'x'", "kind": "'local'", "created_at": TIMESTAMP, "updated_at": TIMESTAMP}
    row |= {"user_id": str(owner["id"])}
    for _ in range(3):
        await gateway.rows(insert("backup_destinations", row | {"uid": f"'{uuid4()}'"}))
    turns = await gateway.rows("SELECT * FROM check_turns ORDER BY destination_id")
    await gateway.rows("DELETE FROM check_turns WHERE destination_id > 1")
    entry = {"occurred_at": TIMESTAMP, "kind": "'token_created'", "subject": "'token 77'", "detail": "'{}'"}
    await gateway.rows(insert("audit", entry | {"actor": "'operator'", "token_id": "77"}))
    await gateway.rows(insert("audit", entry | {"actor": "'stranger'", "token_id": "900"}))
    await gateway.rows("DELETE FROM tortoise_migrations WHERE name >= '0018_missing_turns_and_token_ids'")

    await migrate(gateway.address)

    assert await gateway.rows("SELECT * FROM check_turns ORDER BY destination_id") == turns
    account = await gateway.new_user()
    assert account.token.partition("|")[0] == "78"


async def test_versions_of_more_than_31_bits_are_cut(gateway: Gateway) -> None:
    """`Int` of GraphQL holds 31 bits; versions were longer before it was their type."""
    await migrate(gateway.address)
    await gateway.rows(insert("users", user("ada")))
    (owner,) = await gateway.rows("SELECT id FROM users")
    row = {"label": "'x'", "kind": "'local'", "created_at": TIMESTAMP, "updated_at": TIMESTAMP}
    row |= {"uid": f"'{uuid4()}'", "user_id": str(owner["id"]), "version": str((7 << 31) + 5)}
    await gateway.rows(insert("backup_destinations", row))
    cut = import_module("models.migrations.0008_versions_of_31_bits").cut

    async with gateway.models():
        await cut(None, SimpleNamespace(client=User._meta.db))

    assert await gateway.rows("SELECT version FROM backup_destinations") == [{"version": 5}]


async def test_every_connection_is_durable_and_bounded(gateway: Gateway) -> None:
    """An acknowledged write is on disk, and no statement or lock is waited for longer than promised."""
    show = {"sqlite": "PRAGMA", "postgresql": "SHOW"}[gateway.engine]
    async with gateway.models():
        for name, value in SETTINGS[gateway.engine].items():
            (row,) = await User._meta.db.execute_query_dict(f"{show} {name}")
            assert list(row.values()) == [value], name
