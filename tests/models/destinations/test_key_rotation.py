"""Rotation seals everything anew beside a running gateway, disturbs nobody, and survives being killed."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.database import migrate
from models.accounts import accounts
from models.vault.vault import generate_key
from tests.support.databases import sealed
from tests.support.databases.databases import unserved
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import MOORINGS, Account, Gateway, environment

OLD, NEW = generate_key(), generate_key()
OLD_ID, NEW_ID = OLD.partition(":")[0], NEW.partition(":")[0]
RING = f"{NEW},{OLD}"
DEADLINE_S = 60
RENEWED = f"SELECT count(*) AS n FROM backup_destinations WHERE secret_key LIKE 's1:{NEW_ID}:%'"  # noqa: S608

HELD_UP = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def store(fresh_database_url: str | None) -> Iterator[Gateway]:
    """An empty database of each engine with both keys, which nobody serves."""
    with unserved(fresh_database_url) as gateway:
        gateway.settings["secret_keys"] = RING
        yield gateway


@pytest.fixture
async def served(fresh_database_url: str | None) -> AsyncIterator[Gateway]:
    """A running gateway with both keys on each engine."""
    gateway = Gateway(fresh_database_url, secret_keys=RING).start()
    yield gateway
    gateway.close()


async def fill(gateway: Gateway, count: int) -> None:
    """Migrate, and add a user with destinations sealed by the old key."""
    await migrate(gateway.address)
    async with gateway.models():
        user = await accounts.create_user(email="rotation@example.com", name="Rotation")
    await sealed.insert(gateway, OLD, user.id, count)


def rotation(gateway: Gateway) -> subprocess.Popen[bytes]:
    """A rotation under way."""
    command = [MOORINGS, "keys", "rotate"]
    silent = subprocess.DEVNULL
    return subprocess.Popen(
        command, env=environment(**gateway.settings), cwd=gateway.directory, stdout=silent, stderr=silent
    )


async def put_credentials(account: Account, id_: int) -> list[str]:
    """Give a destination new credentials and return them."""
    new = [f"access key put into {id_}", f"secret key put into {id_}"]
    async with account.client() as client:
        body = {"s3_access_key": new[0], "s3_secret_key": new[1]}
        answer = await client.put(f"/api/backup-destinations/{id_}", json=body)
    assert answer.status_code == httpx.codes.OK, answer.text
    return new


async def test_everything_is_sealed_anew_and_nobody_can_tell(store: Gateway) -> None:
    await fill(store, 105)
    before = await sealed.rows(store)

    rotated = store.command("keys", "rotate")

    assert (rotated.returncode, rotated.stdout) == (0, "")
    assert "105/105" in rotated.stderr
    after = await sealed.rows(store)
    for id_, row in after.items():
        assert sealed.opened(row, NEW) == [sealed.text_of(row["uid"], column) for column in sealed.COLUMNS]
        assert sealed.is_old(row["updated_at"])
        assert sealed.is_old(row["credentials_set_at"])
        others = row.keys() - set(sealed.COLUMNS)
        assert {name: row[name] for name in others} == {name: before[id_][name] for name in others}
    assert await store.rows("SELECT * FROM events") == []
    assert store.command("keys", "rotate", secret_keys=NEW).returncode == 0
    assert await sealed.rows(store) == after, "a second rotation touches nothing, and the old key is not missed"


async def test_a_rotation_that_was_killed_in_the_middle_is_resumed_by_the_next(store: Gateway) -> None:
    await fill(store, 400)

    running = rotation(store)
    deadline = time.monotonic() + DEADLINE_S
    while (await store.rows(RENEWED))[0]["n"] < 5:
        assert running.poll() is None, "the rotation ended before it could be killed"
        assert time.monotonic() < deadline, "the rotation did nothing that could be killed"
    running.kill()
    running.wait()

    halfway = await sealed.rows(store)
    renewed = [id_ for id_, row in halfway.items() if sealed.key_ids(row) == {NEW_ID}]
    assert 0 < len(renewed) < 400
    assert all(sealed.opened(row, RING)[0] == sealed.text_of(row["uid"], "access_key") for row in halfway.values())

    assert store.command("keys", "rotate").returncode == 0
    after = await sealed.rows(store)
    assert {id_: after[id_] for id_ in renewed} == {id_: halfway[id_] for id_ in renewed}
    assert all(sealed.opened(row, NEW)[1] == sealed.text_of(row["uid"], "secret_key") for row in after.values())


async def test_one_damaged_value_is_counted_and_told_and_does_not_stop_the_others(store: Gateway) -> None:
    await fill(store, 3)
    first, *others = await sealed.rows(store)
    envelope = (await sealed.rows(store))[first]["access_key"]
    damaged = envelope[:30] + ("A" if envelope[30] != "A" else "B") + envelope[31:]
    await store.rows(f"UPDATE backup_destinations SET access_key = '{damaged}' WHERE id = {first}")  # noqa: S608

    rotated = store.command("keys", "rotate")

    assert (rotated.returncode, rotated.stdout) == (1, "")
    assert re.search(r"^moorings: 1 sealed values? could not be opened", rotated.stderr, re.MULTILINE)
    assert "Traceback" not in rotated.stderr
    after = await sealed.rows(store)
    assert after[first]["access_key"] == damaged
    assert sealed.key_ids(after[first]) == {OLD_ID, NEW_ID}
    assert [sealed.key_ids(after[id_]) for id_ in others] == [{NEW_ID}] * len(others)


async def test_credentials_that_are_put_while_a_rotation_runs_win(served: Gateway) -> None:
    account = await served.new_user()
    await sealed.insert(served, OLD, account.user_id, 100)
    ids = list(await sealed.rows(served))

    running = rotation(served)
    put = {}
    for id_ in reversed(ids):
        put[id_] = await put_credentials(account, id_)
        if running.poll() is not None:
            break
    assert await asyncio.to_thread(running.wait, DEADLINE_S) == 0

    after = await sealed.rows(served)
    assert {sealed.opened(after[id_], NEW)[0] for id_ in put} == {secrets[0] for secrets in put.values()}
    assert {id_: sealed.opened(after[id_], NEW) for id_ in put} == put
    assert all(sealed.key_ids(row) == {NEW_ID} for row in after.values())


@pytest.fixture
async def on_postgresql(postgres: PostgresServer) -> AsyncIterator[Gateway]:
    """A running gateway with both keys on PostgreSQL."""
    name = f"rotation_{uuid4().hex}"
    postgres.create_database(name)
    gateway = Gateway(postgres.url(name), secret_keys=RING).start()
    yield gateway
    gateway.close()


@asynccontextmanager
async def held(gateway: Gateway, id_: int) -> AsyncIterator[None]:
    """Keep a destination's row to ourselves for as long as this lasts."""
    holder = await asyncpg.connect(gateway.database_url)
    async with holder.transaction():
        await holder.execute("SELECT 1 FROM backup_destinations WHERE id = $1 FOR UPDATE", id_)
        yield
    await holder.close()


async def test_credentials_put_between_the_rotations_read_and_its_write_win(on_postgresql: Gateway) -> None:
    """A lock on the first row holds the rotation up when it has read the second one and not yet written it."""
    account = await on_postgresql.new_user()
    await sealed.insert(on_postgresql, OLD, account.user_id, 2)
    first, second = await sealed.rows(on_postgresql)

    async with held(on_postgresql, first), asyncio.timeout(DEADLINE_S):
        running = rotation(on_postgresql)
        while not (await on_postgresql.rows(HELD_UP))[0]["n"]:
            assert running.poll() is None
        put = await put_credentials(account, second)

    assert await asyncio.to_thread(running.wait, DEADLINE_S) == 0
    after = await sealed.rows(on_postgresql)
    assert sealed.opened(after[second], NEW) == put
    assert sealed.key_ids(after[first]) == {NEW_ID}
