"""Clocks that jump: what was stored before is in the past or the future then, as rows whose times are moved show."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.databases.databases import database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Account, Gateway

LIST = "/api/backup-destinations"
TOMORROW = {"sqlite": "strftime('%Y-%m-%d %H:%M:%S+00:00', 'now', '+1 day')", "postgresql": "now() + interval '1 day'"}


@pytest.fixture(params=["sqlite", "postgresql"])
async def account(request: pytest.FixtureRequest, postgres: PostgresServer) -> AsyncIterator[Account]:
    """A user of a gateway on each engine."""
    gateway = Gateway(database_url(request.param, postgres)).start()
    yield await gateway.new_user()
    gateway.close()


async def test_after_a_clock_is_set_back_no_destination_was_changed_before_it_was_made(account: Account) -> None:
    """A row that was stored before that is of tomorrow; every change of it, and of its credentials, keeps the order."""
    tomorrow = TOMORROW[account.gateway.engine]
    await account.gateway.rows(
        "INSERT INTO backup_destinations (uid, user_id, label, kind, created_at, updated_at) "  # noqa: S608 - of this test
        f"VALUES ('00000000-0000-4000-8000-000000000001', {account.user_id}, 'of tomorrow', 'local', "
        f"{tomorrow}, {tomorrow})"
    )
    async with account.client() as client:
        (row,) = (await client.get(LIST)).json()["data"]
        changed = await client.put(f"{LIST}/{row['id']}", json={"label": "changed after the clock was set back"})
        created = await client.post(LIST, json={"label": "made after the clock was set back", "type": "local"})

    assert changed.status_code == httpx.codes.OK
    assert created.status_code == httpx.codes.CREATED
    for now in (changed.json()["data"], created.json()["data"]):
        assert now["created_at"] <= now["updated_at"]
    assert changed.json()["data"]["created_at"] == row["created_at"]
