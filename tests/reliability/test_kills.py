"""`kill -9` of workers, of the gateway and of PostgreSQL under writers: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from models.vault.vault import generate_key
from tests.support.databases import sealed
from tests.support.databases.stoppable_postgres import StoppablePostgres, own_postgres
from tests.support.figures import amount
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.processes import children, is_alive, until
from tests.support.gateway.writers import LIST, Written, client_of, writing

ROUNDS = amount(1, 5)
"""Kills of each kind."""
BETWEEN_S = (0.2, 0.6)
"""How long all serve between two kills, at random."""
LABELS = "SELECT label FROM backup_destinations"
SECRETS = amount(100, 1_500)
ROTATIONS_KILLED = amount(1, 12)
READY_S = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[StoppablePostgres]:
    """A PostgreSQL that may be killed."""
    with own_postgres() as server:
        yield server


async def kill_a_worker(gateway: Gateway) -> None:
    """The supervisor starts another."""
    victim = random.choice(children(gateway.pid))  # noqa: S311 - any of them
    os.kill(victim, signal.SIGKILL)
    await until(lambda: not is_alive(victim))


async def kill_the_gateway(gateway: Gateway) -> None:
    """Supervisor and workers at once; it is started again."""
    await asyncio.to_thread(gateway.kill)
    await asyncio.to_thread(gateway.start)


Kill = Callable[[Gateway], Awaitable[None]]


async def serves(account: Account) -> None:
    """Wait until a write is acknowledged."""
    async with client_of(account) as client, asyncio.timeout(READY_S):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - with a deadline
            await asyncio.sleep(0.05)


async def survive(gateway: Gateway, kills: Mapping[str, Kill], figure: Callable[[str], None]) -> None:
    """Kill under eight writers and a subscriber, and expect every acknowledged write and its event once."""
    account = await gateway.new_user()
    order = [name for name in kills for _ in range(ROUNDS)]
    random.shuffle(order)
    async with writing(account) as written:
        for name in order:
            await asyncio.sleep(random.uniform(*BETWEEN_S))  # noqa: S311 - at any time
            await kills[name](gateway)
        await serves(account)
        await asyncio.sleep(BETWEEN_S[0])
    written.expect_once_each(await gateway.rows(LABELS))
    figure(f"{gateway.engine}: {summary(written)}; {len(order)} kills ({', '.join(kills)})")


def summary(written: Written) -> str:
    """What the writers went through, in figures."""
    return (
        f"{len(written.ids)} acknowledged writes and {len(written.events)} events, none lost, none doubled; "
        f"{written.lost_connections} connections lost, {written.statuses[503]} times 503, "
        f"longest answer {written.longest_s:.1f} s"
    )


async def test_no_acknowledged_write_on_sqlite_is_lost_to_a_kill(figure: Callable[[str], None]) -> None:
    """Of one of two workers, and of both with their supervisor."""
    with running(Gateway(workers=2)) as gateway:
        await survive(gateway, {"worker": kill_a_worker, "gateway": kill_the_gateway}, figure)


async def test_no_acknowledged_write_on_postgresql_is_lost_to_a_kill(
    server: StoppablePostgres, figure: Callable[[str], None]
) -> None:
    """Of one of two workers, of the gateway, of all of PostgreSQL, and of both at once."""

    async def kill_the_database(_gateway: Gateway) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.resume)

    async def kill_both(gateway: Gateway) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(gateway.kill)
        await asyncio.to_thread(server.resume)
        await asyncio.to_thread(gateway.start)

    kills = {"worker": kill_a_worker, "database": kill_the_database, "both": kill_both}
    server.create_database("kills")
    with running(Gateway(server.url("kills"), workers=2)) as gateway:
        await survive(gateway, kills, figure)


async def test_a_rotation_of_the_keys_under_load_that_is_killed_again_and_again_loses_no_secret(
    figure: Callable[[str], None],
) -> None:
    """Credentials are put meanwhile; in the end all of them are sealed with the new key, and the old one can go."""
    old = generate_key()
    new = generate_key()
    with running(Gateway(secret_keys=f"{new},{old}")) as gateway:
        account = await gateway.new_user()
        await sealed.insert(gateway, old, account.user_id, SECRETS)
        ids = list(await sealed.rows(gateway))
        put: dict[int, list[str]] = {}
        is_over = asyncio.Event()
        putting = asyncio.create_task(_put_credentials(account, ids, put, is_over))
        killed = 0
        for _ in range(ROTATIONS_KILLED):
            rotation = await asyncio.create_subprocess_exec(
                gateway.program,
                *("keys", "rotate"),
                env=gateway.environment(),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                await asyncio.wait_for(rotation.wait(), random.uniform(0.5, 1.5))  # noqa: S311 - at any time
            except TimeoutError:
                rotation.kill()
                killed += 1
                await rotation.wait()
        last = await asyncio.to_thread(gateway.command, "keys", "rotate")
        is_over.set()
        await putting
        rows = await sealed.rows(gateway)

    assert last.returncode == 0, last.stderr
    assert put
    assert {key_id for row in rows.values() for key_id in sealed.key_ids(row)} == {new.partition(":")[0]}
    for id_, row in rows.items():
        ours = [sealed.text_of(row["uid"], column) for column in sealed.COLUMNS]
        assert sealed.opened(row, new) == put.get(id_, ours)
    figure(f"{len(rows)} destinations, {killed} rotations killed, credentials of {len(put)} put meanwhile: none lost")


async def _put_credentials(account: Account, ids: list[int], put: dict[int, list[str]], is_over: asyncio.Event) -> None:
    async with client_of(account) as client:
        while not is_over.is_set():
            id_ = random.choice(ids)  # noqa: S311 - any of them
            secrets = [f"access key {len(put)} of {id_}", f"secret key {len(put)} of {id_}"]
            body = {"s3_access_key": secrets[0], "s3_secret_key": secrets[1]}
            answer = await client.put(f"{LIST}/{id_}", json=body)
            assert answer.status_code in (200, 503), answer.text
            if answer.status_code == 200:
                put[id_] = secrets
            await asyncio.sleep(0.01)


@contextmanager
def running(gateway: Gateway) -> Iterator[Gateway]:
    """The gateway serves in the block."""
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.close()
