"""Patroni hands over, and its primary is killed, under load: nothing acknowledged is lost, and writes are back soon.

`make failover` runs it; the gate does not. Commits wait for the synchronous standby.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import uuid4

import asyncpg
import httpx
import pytest

from models.database.connecting.servers import connect
from tests.support.api.destinations import LIST
from tests.support.databases.patroni_cluster import Node, PatroniCluster, patroni_cluster
from tests.support.gateway.gateway import Account, Gateway

WRITERS, READERS = 8, 4
PAUSE_S = 0.02
"""Of each writer and reader after an answer."""
ROUNDS = 2
SETTLED_S = 2.0
"""For how long the load goes on before and after an event."""
BACK_WITHIN_S = 10.0
DEADLINE_S = 60.0


@dataclass(slots=True)
class Load:
    """What writers and readers were answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    acknowledged_at: list[float] = field(default_factory=list)
    is_over: bool = False

    def longest_pause_s(self, since: float) -> float:
        """The longest time without an acknowledged write."""
        return max(later - earlier for earlier, later in pairwise(at for at in self.acknowledged_at if at >= since))


@pytest.fixture(scope="module")
def cluster() -> Iterator[PatroniCluster]:
    """Two nodes."""
    with patroni_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def gateway(cluster: PatroniCluster) -> Iterator[Gateway]:
    """Two workers on the cluster."""
    gateway = Gateway(cluster.url, workers=2)
    yield gateway.start()
    gateway.close()


async def write(client: httpx.AsyncClient, load: Load, writer: int) -> None:
    """Write until the load is over.

    Every second writer has keys, and repeats a write until it is acknowledged; without a key it is given up.
    """
    label = ""
    while not load.is_over:
        label = label or uuid4().hex
        headers = {"Idempotency-Key": label} if writer % 2 else {}
        answer = await client.post(LIST, json={"label": label, "type": "local"}, headers=headers)
        load.statuses[answer.status_code] += 1
        if answer.status_code == httpx.codes.CREATED:
            load.acknowledged.append(label)
            load.acknowledged_at.append(time.monotonic())
        if answer.status_code == httpx.codes.CREATED or not headers:
            label = ""
        await asyncio.sleep(PAUSE_S)


async def read(client: httpx.AsyncClient, load: Load, reader: int) -> None:
    """Read until the load is over."""
    while not load.is_over:
        answer = await client.get(LIST, params={"per_page": reader + 1})
        load.statuses[answer.status_code] += 1
        await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def loaded(account: Account) -> AsyncIterator[Load]:
    """Writers and readers, as long as the block."""
    load = Load()
    async with account.client() as client, asyncio.TaskGroup() as tasks:
        for number in range(WRITERS):
            tasks.create_task(write(client, load, number))
        for number in range(READERS):
            tasks.create_task(read(client, load, number))
        try:
            yield load
        finally:
            load.is_over = True


async def another_primary(cluster: PatroniCluster, old: Node) -> None:
    """Wait until the other node is the primary."""
    await asyncio.to_thread(cluster.wait_for, lambda: cluster.primary() not in (None, old))


async def switch_over(cluster: PatroniCluster) -> None:
    """Let an operator hand over."""
    await asyncio.to_thread(cluster.switch_over)


async def kill_postgresql(cluster: PatroniCluster) -> None:
    """Kill the primary's PostgreSQL with SIGKILL; its Patroni hands over."""
    await another_primary(cluster, await asyncio.to_thread(cluster.kill_postgresql))


async def kill_node(cluster: PatroniCluster) -> None:
    """Kill the primary's Patroni too, as the end of its machine would; later it starts again."""
    old = await asyncio.to_thread(cluster.kill_node)
    await another_primary(cluster, old)
    cluster.start_node(old)


@pytest.mark.parametrize("event", [switch_over, kill_postgresql, kill_node])
async def test_nothing_acknowledged_is_lost_and_writes_are_back(
    cluster: PatroniCluster, gateway: Gateway, event: Callable[[PatroniCluster], object], figure: Callable[[str], None]
) -> None:
    """Every request is answered 200, 201, 409 (a key whose request is under way) or 503, and none 500."""
    account = await gateway.new_user()
    pauses: list[float] = []
    async with loaded(account) as load:
        for _ in range(ROUNDS):
            await asyncio.to_thread(cluster.wait_for, cluster.is_whole)
            await asyncio.sleep(SETTLED_S)
            began = time.monotonic()
            happened = event(cluster)
            assert asyncio.iscoroutine(happened)
            await happened
            written = len(load.acknowledged)
            async with asyncio.timeout(DEADLINE_S):
                while len(load.acknowledged) <= written + WRITERS:  # noqa: ASYNC110 - others write
                    await asyncio.sleep(0.05)
            await asyncio.sleep(SETTLED_S)
            pauses.append(load.longest_pause_s(began - SETTLED_S))
    stored = await labels(cluster, account)

    lost = set(load.acknowledged) - stored.keys()
    figure(
        f"{ROUNDS} times, {WRITERS} writers and {READERS} readers on 2 workers: {len(load.acknowledged)} writes "
        f"acknowledged, {len(lost)} lost; without a write for {', '.join(f'{pause_s:.1f}' for pause_s in pauses)} s; "
        f"answers {dict(sorted(load.statuses.items()))}"
    )
    assert not lost
    assert [label for label, times in stored.items() if times > 1] == []
    assert not load.statuses.keys() - {200, 201, 409, 503}
    assert max(pauses) < BACK_WITHIN_S


async def labels(cluster: PatroniCluster, account: Account) -> Counter[str]:
    """The labels that the primary has of a user, each with the number of its rows."""
    connection: asyncpg.Connection = await connect(cluster.url, timeout=5)
    try:
        rows = await connection.fetch("SELECT label FROM backup_destinations WHERE user_id = $1", account.user_id)
    finally:
        await connection.close()
    return Counter(row["label"] for row in rows)
