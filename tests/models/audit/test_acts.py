"""Every act leaves its entry in the audit, in the transaction of the act, with who, what and from where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from models.accounts import accounts
from models.audit.entry import AuditEntry
from models.audit.operator import os_user
from models.errors import AccountRefused
from tests.support.databases.databases import ENGINES, insert, migrated, user
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

CREDENTIALS = {"s3_access_key": "AKIATESTTESTTESTTEST", "s3_secret_key": "a-secret-key-of-the-tests"}
ENTRY = "SELECT * FROM audit WHERE subject = '{}' ORDER BY id"
REFUSE = {
    "sqlite": "CREATE TRIGGER refuse BEFORE INSERT ON audit WHEN NEW.kind IN ('user_created', 'destination_created') "
    "BEGIN SELECT RAISE(ABORT, 'refused'); END",
    "postgresql": "ALTER TABLE audit ADD CONSTRAINT refuse CHECK (kind NOT IN ('user_created', 'destination_created')) "
    "NOT VALID",
}
ALLOW = {"sqlite": "DROP TRIGGER refuse", "postgresql": "ALTER TABLE audit DROP CONSTRAINT refuse"}


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A migrated database of each engine."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


async def entries(gateway: Gateway, subject: str) -> list[dict[str, Any]]:
    """The entries about something, the oldest first, with their details read."""
    return [row | {"detail": json.loads(row["detail"])} for row in await gateway.rows(ENTRY.format(subject))]


async def test_what_an_operator_does_with_users_and_tokens_is_in_the_audit(database: Gateway) -> None:
    async with database.models():
        ada = await accounts.create_user(email="ada@example.com", name="Ada")
        token = await accounts.issue_token(ada, name="laptop", abilities=["view-backup-destinations"])
        first = int(token.partition("|")[0])
        second = int(
            (await accounts.rotate_token(first, overlap=accounts.parse_duration("1h"))).token.partition("|")[0]
        )
        await accounts.revoke_token(second)
        await accounts.revoke_token(second)
        await accounts.disable_user("ada@example.com", disabled=True)
        await accounts.disable_user("ada@example.com", disabled=False)

    of_user, of_token = await entries(database, f"user {ada.id}"), await entries(database, f"token {second}")
    assert [entry["kind"] for entry in of_user] == ["user_created", "user_disabled", "user_enabled"]
    assert [entry["kind"] for entry in of_token] == ["token_rotated", "token_revoked"]
    (created,) = await entries(database, f"token {first}")
    assert (created["kind"], created["user_id"], created["token_id"]) == ("token_created", ada.id, first)
    assert created["detail"]["abilities"] == "view-backup-destinations"
    assert of_token[0]["detail"]["rotated_token_id"] == first
    everything = [*of_user, *of_token, created]
    assert {(entry["actor"], entry["os_user"], entry["protocol"]) for entry in everything} == {
        ("operator", os_user(), "command_line")
    }
    assert token.partition("|")[2] not in repr(everything)


async def test_an_act_without_its_entry_is_not_done(database: Gateway) -> None:
    """They are of one transaction: when the audit cannot be written, nothing else is."""
    before = await database.rows("SELECT count(*) AS n FROM users")
    await database.rows(REFUSE[database.engine])
    try:
        async with database.models():
            with pytest.raises(AccountRefused):
                await accounts.create_user(email="bob@example.com", name="Bob")
    finally:
        await database.rows(ALLOW[database.engine])

    assert await database.rows("SELECT count(*) AS n FROM users") == before


async def test_a_refused_act_leaves_no_entry(database: Gateway) -> None:
    async with database.models():
        count = await AuditEntry.all().count()
        with pytest.raises(AccountRefused):
            await accounts.revoke_token(987_654_321)
        with pytest.raises(AccountRefused):
            await accounts.create_user(email="no address", name="Nobody")
        assert await AuditEntry.all().count() == count


async def test_entries_outlive_what_they_are_about(database: Gateway) -> None:
    await database.rows(insert("users", user("carol")))
    async with database.models():
        await accounts.disable_user("carol@example.com", disabled=True)
    (carol,) = await database.rows("SELECT id FROM users WHERE email = 'carol@example.com'")

    await database.rows("DELETE FROM users WHERE email = 'carol@example.com'")

    assert [entry["kind"] for entry in await entries(database, f"user {carol['id']}")] == ["user_disabled"]


async def test_what_users_do_with_destinations_is_in_the_audit_with_their_address(gateway: Gateway) -> None:
    """A change of the endpoint by its own kind, and where it leads; never a credential."""
    account = await gateway.new_user()
    id_ = await account.create("custom_s3")
    path = f"/api/backup-destinations/{id_}"
    async with account.client() as client:
        assert (await client.put(path, json={"label": "Renamed"})).status_code == 200
        moved = {"custom_s3_endpoint": "https://elsewhere.example.com", **CREDENTIALS}
        assert (await client.put(path, json=moved)).status_code == 200
        assert (await client.put(path, json={"label": "Renamed"})).status_code == 200, "and changes nothing"
        assert (await client.delete(path)).status_code < 300

    found = await entries(gateway, f"destination {id_}")

    kinds = ["created", "updated", "endpoint_changed", "deleted"]
    assert [entry["kind"] for entry in found] == [f"destination_{kind}" for kind in kinds]
    assert {(entry["actor"], entry["user_id"], entry["protocol"]) for entry in found} == {
        ("user", account.user_id, "rest")
    }
    assert {entry["address"] for entry in found} == {"127.0.0.1"}
    assert found[2]["token_id"] == int(account.token.partition("|")[0])
    assert found[2]["detail"]["endpoint"] == "https://elsewhere.example.com"
    assert found[1]["detail"]["label"] == "Renamed"
    assert all(entry["request_id"] for entry in found)
    assert not any(secret in repr(found) for secret in CREDENTIALS.values())
