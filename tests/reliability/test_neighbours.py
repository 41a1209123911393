"""What one user does makes no other user wait."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

import asyncpg

from tests.support.gateway.gateway import Gateway
from tests.support.gateway.unharmed import Figure
from tests.support.stopwatch import Stopwatch

LIST = "/api/backup-destinations"
WRITERS = 40
MAX_WAIT_S = 1.0
"""Half of the two seconds that a statement waits for a lock."""


async def test_writes_that_wait_for_one_users_locked_row_hold_up_no_other_user(
    gateways: Mapping[str, Gateway], figure: Figure
) -> None:
    """Forty of them, four times the connections of the pool; another user reads and writes meanwhile."""
    gateway = gateways["postgresql"]
    worker = gateway.worker_pid
    blocked, other = await gateway.new_user(), await gateway.new_user()
    row, own = await blocked.create("local"), await other.create("local")
    lock = await asyncpg.connect(gateway.address.url)
    waits: list[float] = []
    try:
        async with blocked.client() as writer, other.client() as client, lock.transaction():
            await lock.execute("SELECT 1 FROM backup_destinations WHERE id = $1 FOR UPDATE", row)
            writes = [
                asyncio.create_task(writer.put(f"{LIST}/{row}", json={"label": f"Label {number}"}))
                for number in range(WRITERS)
            ]
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            async with asyncio.timeout(5):
                while not await lock.fetchval(waiting):  # noqa: ASYNC110 - nothing tells that a statement waits
                    await asyncio.sleep(0.01)
            for number in range(10):
                watch = Stopwatch(worker)
                assert (await client.get(LIST)).status_code == 200
                assert (await client.put(f"{LIST}/{own}", json={"label": f"Own {number}"})).status_code == 200
                waits.append(watch.seconds)
            statuses = Counter([answer.status_code for answer in await asyncio.gather(*writes)])
    finally:
        await lock.close()

    figure(f"another user's slowest read and write {max(waits) * 1000:.0f} ms beside {WRITERS} waiting writes")
    assert max(waits) < MAX_WAIT_S
    assert statuses == {503: WRITERS}
