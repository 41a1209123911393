"""Refused sign-ins and first uses of addresses are written behind the requests, and cannot fill a disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.database import migrate
from app.first_run import prepare
from app.settings import Settings
from models.accounts import accounts
from models.audit import trail as trails
from models.audit.entry import Actor, Origin
from models.audit.trail import AuditTrail, FirstUse, RefusedSignIn
from models.errors import DatabaseUnavailable
from models.vault.secret import Secret
from tests.support.databases.databases import ENGINES, database_url, migrated, unserved
from tests.support.databases.migrating import until
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.tcp_proxy import Fate, proxied
from tests.support.gateway.gateway import Account, Gateway

LIST = "/api/backup-destinations"


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A migrated database of each engine."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=ENGINES)
def gateway(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway of these tests' own: what other tests were refused would count against its allowance."""
    gateway = Gateway(database_url(request.param, postgres)).start()
    yield gateway
    gateway.close()


async def entries(gateway: Gateway, kind: str, where: str = "1 = 1") -> list[dict[str, Any]]:
    """The entries of a kind, the oldest first, with their details read."""
    rows = await gateway.rows(f"SELECT * FROM audit WHERE kind = '{kind}' AND {where} ORDER BY id")  # noqa: S608
    return [row | {"detail": json.loads(row["detail"])} for row in rows]


def stranger(address: str) -> Origin:
    """A client without a valid token."""
    return Origin(actor=Actor.STRANGER, address=address, protocol="rest", request_id="an-id")


async def test_a_refused_sign_in_is_in_the_audit_with_its_reason_and_its_address(gateway: Gateway) -> None:
    """The token and its user only where the client had the secret: anybody can guess a number."""
    account = await gateway.new_user()
    async with gateway.models():
        user = await accounts.find_user(account.email)
        revoked = await accounts.issue_token(user, name="revoked")
        await accounts.revoke_token(int(revoked.partition("|")[0]))
        expired = await accounts.issue_token(user, name="expired", expires_in=timedelta(seconds=-1))
    guessed = f"{account.token.partition('|')[0]}|{revoked.partition('|')[2]}"
    ids = {}
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        for token in (revoked, expired, guessed):
            answer = await client.get(LIST, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401
            ids[token] = answer.headers["x-request-id"]

    async def are_written() -> bool:
        found = await entries(gateway, "sign_in_refused")
        return {ids[revoked], ids[expired]} <= {entry["request_id"] for entry in found}

    await until(are_written)

    by_id = {entry["request_id"]: entry for entry in await entries(gateway, "sign_in_refused")}
    for token, reason in ((revoked, "revoked"), (expired, "expired")):
        entry = by_id[ids[token]]
        assert entry["detail"] == {"reason": reason, "count": 1}
        assert (entry["user_id"], entry["token_id"]) == (account.user_id, int(token.partition("|")[0]))
        assert (entry["address"], entry["protocol"]) == ("127.0.0.1", "rest")
    unknown = await entries(gateway, "sign_in_refused", "token_id IS NULL")
    assert {entry["user_id"] for entry in unknown} <= {None}
    assert any(entry["detail"]["reason"] == "unknown" for entry in unknown)


async def test_a_tokens_first_use_from_an_address_is_in_the_audit_once(gateway: Gateway) -> None:
    account = await gateway.new_user()
    token_id = int(account.token.partition("|")[0])
    where = f"token_id = {token_id}"
    async with account.client() as client:
        first = (await client.get(LIST)).headers["x-request-id"]

    async def is_written() -> bool:
        return await entries(gateway, "address_first_seen", where) != []

    await until(is_written)
    await _use_again(account)

    (entry,) = await entries(gateway, "address_first_seen", where)
    assert (entry["address"], entry["user_id"], entry["request_id"]) == ("127.0.0.1", account.user_id, first)
    (token,) = await gateway.rows(f"SELECT last_address FROM tokens WHERE id = {token_id}")  # noqa: S608 - our own
    assert token == {"last_address": "127.0.0.1"}


async def _use_again(account: Account) -> None:
    """Another process sees the same token from the same address, and asks the database."""
    async with account.gateway.models():
        other = AuditTrail()
        use = FirstUse(int(account.token.partition("|")[0]), "127.0.0.1")
        other.note_first_use(use, Origin(actor=Actor.USER, token_id=use.token_id, address=use.address))
        await other.flush()


async def test_refusals_of_one_address_are_two_entries_a_minute_however_many_there_are(database: Gateway) -> None:
    trail = AuditTrail()
    async with database.models():
        for _ in range(3):
            trail.note_refusal(RefusedSignIn.UNKNOWN, stranger("192.0.2.1"))
        await trail.flush()
        for _ in range(5_000):
            trail.note_refusal(RefusedSignIn.UNKNOWN, stranger("192.0.2.1"))
        await trail.flush()
        await trail.flush(everything=True)

    found = await entries(database, "sign_in_refused", "address = '192.0.2.1'")

    assert [entry["detail"]["count"] for entry in found] == [3, 5_000]


async def test_refusals_of_very_many_addresses_are_bounded_and_counted(database: Gateway) -> None:
    trail = AuditTrail()
    async with database.models():
        for number in range(50_000):
            address = f"10.0.{number >> 8}.{number & 255}"
            trail.note_refusal(RefusedSignIn.MALFORMED, stranger(address))
        await trail.flush(everything=True)

    single = await entries(database, "sign_in_refused", "address LIKE '10.%'")
    (various,) = await entries(database, "sign_in_refused", "detail LIKE '%various%'")

    assert 0 < len(single) <= trails.ENTRIES_AT_ONCE
    assert sum(entry["detail"]["count"] for entry in [*single, various]) == 50_000
    assert trail.losses["refusals without an address"] == various["detail"]["count"]


async def test_what_cannot_be_written_waits_within_a_bound() -> None:
    """Without a database; what is beyond the bound is counted."""
    trail = AuditTrail()
    for number in range(trails.MAX_WAITING + 7):
        trail.note_first_use(FirstUse(1, f"address {number}"), stranger("192.0.2.3"))

    assert trail.losses["first uses"] == 7


@pytest.mark.parametrize("fate", [Fate.CUT_BEFORE, Fate.CUT_AFTER])
async def test_entries_whose_commit_lost_its_connection_are_there_once(postgres: PostgresServer, fate: Fate) -> None:
    """Those that are written behind the requests, and that of a start, which goes on when the database is back."""
    url = database_url("postgresql", postgres)
    assert url is not None
    with proxied(url, table="audit") as proxy, unserved(proxy.url(url)) as gateway:
        await migrate(gateway.address)
        origin, trail = Origin(actor=Actor.STRANGER, address="192.0.2.1"), AuditTrail()
        async with gateway.models():
            for reason in (RefusedSignIn.MALFORMED, RefusedSignIn.EXPIRED):
                trail.note_refusal(reason, origin)
            proxy.decide([fate])
            with pytest.raises(DatabaseUnavailable):
                await trail.flush()
            trail.note_refusal(RefusedSignIn.REVOKED, origin)
            await trail.flush()
        proxy.decide([fate])
        settings = Settings(database_url=gateway.database_url, secret_keys=Secret(gateway.settings["secret_keys"]))
        await prepare(settings)
        kinds = [row["kind"] for row in await gateway.rows("SELECT kind FROM audit ORDER BY kind")]

    assert proxy.cuts == 2
    assert kinds == ["command_run", *["sign_in_refused"] * 3]
