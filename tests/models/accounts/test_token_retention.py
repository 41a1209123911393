"""Tokens that ended long ago are removed, by command and by setting; what the audit says of them stays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from models.accounts import accounts, token_retention
from models.accounts.token import Token
from models.accounts.user import User
from models.clock import current_second
from models.database import postgresql
from tests.support.databases.databases import ENGINES, TIMESTAMP, database_url, migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

LATER = "'2199-01-01 00:00:00+00:00'"
ENDS = {
    "revoked": {"revoked_at": TIMESTAMP},
    "expired": {"expires_at": TIMESTAMP},
    "revoked later": {"expires_at": TIMESTAMP, "revoked_at": LATER},
    "imported": {"revoked_at": TIMESTAMP, "imported_id": "41"},
    "expires": {"expires_at": LATER},
    "stands": {},
}
STAY = {"imported", "expires", "stands", "full"}


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    with migrated(request.param, postgres) as gateway:
        yield gateway


async def plant(gateway: Gateway) -> dict[str, int]:
    """A user with a token of each end; their ids by name."""
    account = await gateway.new_user()
    async with gateway.models():
        user = await User.get(id=account.user_id)
        issued = {name: await accounts.issue_token(user, name=name) for name in ENDS}
    for name, ends in ENDS.items():
        id_ = issued[name].partition("|")[0]
        values = ", ".join(f"{column} = {value}" for column, value in ends.items()) or "last_used_at = NULL"
        await gateway.rows(f"UPDATE tokens SET {values} WHERE id = {id_}")  # noqa: S608 - our own
    rows = await gateway.rows(f"SELECT id, name FROM tokens WHERE user_id = {account.user_id}")  # noqa: S608
    return {row["name"]: row["id"] for row in rows if row["name"] != "test"}


async def names(gateway: Gateway) -> set[str]:
    """Of the tokens but those of each account, and of the first start on SQLite."""
    return {row["name"] for row in await gateway.rows("SELECT name FROM tokens")} - {"test", "first start"}


def printed(gateway: Gateway, *arguments: str) -> Any:
    done = gateway.command(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_the_command_removes_tokens_that_ended_and_keeps_what_the_audit_says(database: Gateway) -> None:
    """The audit is the same before and after, but for the command's own entry; no number is given again."""
    ids = await plant(database)
    entries = "SELECT id, subject, detail FROM audit WHERE kind = 'token_created' ORDER BY id"
    before = await database.rows(entries)

    dry = await asyncio.to_thread(printed, database, "token", "prune", "--older-than", "1d", "--dry-run", "--json")
    assert (dry["tokens"], dry["dryRun"], await names(database)) == (3, True, set(ids))
    done = await asyncio.to_thread(printed, database, "token", "prune", "--older-than", "1d", "--json")
    assert (done["tokens"], await names(database)) == (3, STAY)
    again = await asyncio.to_thread(database.command, "token", "prune", "--older-than", "1d")
    assert again.stdout == "Removed 0 tokens.\n"

    assert await database.rows(entries) == before
    assert {f"token {id_}" for id_ in ids.values()} - {f"token {ids['full']}"} <= {row["subject"] for row in before}
    other = await plant(database)
    assert min(other.values()) > max(ids.values())


async def test_a_clock_that_is_ahead_removes_nothing_too_early(
    database: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database's own counts then, where it has one."""
    async with database.models():
        now = current_second()
        assert await postgresql.earlier_second(Token) <= now + timedelta(seconds=5)
        monkeypatch.setattr(postgresql, "current_second", lambda: now + timedelta(days=60))
        ahead = await postgresql.earlier_second(Token)
        monkeypatch.setattr(postgresql, "current_second", lambda: now - timedelta(days=60))
        behind = await postgresql.earlier_second(Token)

    assert (ahead - now < timedelta(minutes=1)) is (database.engine == "postgresql")
    assert behind == now - timedelta(days=60)


async def test_many_are_removed_in_steps(database: Gateway) -> None:
    """A step larger than what there is, and several; none is left out at their bounds."""
    account = await database.new_user()
    async with database.models():
        now = current_second()
        ended: dict[str, Any] = {"user_id": account.user_id, "abilities": "*", "created_at": now, "revoked_at": now}
        for n in range(7):
            await Token.create(name=f"n{n}", digest=f"{n:064d}", **ended)
        assert await token_retention.prune(now, step=3) == 0
        await Token.filter(revoked_at__not_isnull=True).update(revoked_at=now.replace(year=2020))
        assert await token_retention.prune(now, step=3) == 7
        assert await Token.filter(user_id=account.user_id).count() == 2


@pytest.fixture(params=ENGINES)
def forgetful(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway that keeps tokens for ten days behind their end."""
    gateway = Gateway(database_url(request.param, postgres), tokens_retention="10d")
    yield gateway
    gateway.close()


async def test_the_setting_removes_them_beside_the_gateway(forgetful: Gateway) -> None:
    """From its start on."""
    await asyncio.to_thread(forgetful.start)
    await plant(forgetful)
    await asyncio.to_thread(forgetful.stop)
    await asyncio.to_thread(forgetful.start)

    async with asyncio.timeout(60):
        while await names(forgetful) != STAY:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.1)
