"""Reads of the embedded database wait neither for another process's lock nor for a write or its fsync."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import time
from contextlib import closing
from typing import Any

import httpx

from app.database import migrate
from models.accounts.user import User
from models.database.sqlite import MooringsSqliteClient
from tests.support.databases.databases import unserved
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.unharmed import Figure
from tests.support.stopwatch import Stopwatch

LIST = "/api/backup-destinations"
HELD_S = 15.0 if os.environ.get("MOORINGS_FULL") else 6.0
"""Longer than the five seconds after which the last uses of tokens are written, which then wait for the lock."""
READ_WITHIN_S = 1.0
REFUSED_WITHIN_S = 5.0


async def test_plain_reads_go_on_while_another_process_keeps_the_write_lock(figure: Figure) -> None:
    """A write is refused in time meanwhile, and both work afterwards."""
    gateway = Gateway().start()
    try:
        account, worker = await gateway.new_user(), gateway.worker_pid
        id_ = await account.create("local", label="Before")
        async with account.client() as client:
            slowest_s, reads = 0.0, 0
            with closing(sqlite3.connect(str(gateway.address.path), isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                until = time.monotonic() + HELD_S
                started = time.monotonic()
                write = asyncio.create_task(client.put(f"{LIST}/{id_}", json={"label": "After"}))
                write.add_done_callback(lambda _: refused_at.append(time.monotonic()))
                refused_at: list[float] = []
                while time.monotonic() < until:
                    asked = Stopwatch(worker)
                    assert (await client.get(f"{LIST}?page={reads % 3 + 1}")).status_code == httpx.codes.OK
                    slowest_s, reads = max(slowest_s, asked.seconds), reads + 1
                    await asyncio.sleep(0.02)
                other.execute("ROLLBACK")

            figure(
                f"lock held for {HELD_S} s: the slowest of {reads} reads took {slowest_s:.2f} s, a write was refused "
                f"after {refused_at[0] - started:.1f} s"
            )
            assert slowest_s < READ_WITHIN_S
            assert (await write).status_code == httpx.codes.SERVICE_UNAVAILABLE
            assert refused_at[0] - started < REFUSED_WITHIN_S
            assert (await client.put(f"{LIST}/{id_}", json={"label": "After"})).status_code == httpx.codes.OK
            assert (await client.get(f"{LIST}/{id_}")).json()["data"]["label"] == "After"
        log = await gateway.logged("can be written again")
        # A write that waits for its turn behind another one may give up before SQLite does.
        assert re.findall(r"cannot be written: (\w+)", log) in (["SQLITE_BUSY"], ["TimeoutError"])
        assert log.count("can be written again") == 1
    finally:
        gateway.close()


async def test_a_read_does_not_wait_for_a_write_that_takes_its_time() -> None:
    """As a slow fsync does: the writer's thread stands still."""
    with unserved(None) as embedded:
        await migrate(embedded.address)
        await embedded.new_user()
        async with embedded.models():
            database: Any = User._meta.db
            assert isinstance(database, MooringsSqliteClient)
            slow = asyncio.create_task(database.write(lambda _: time.sleep(1), "SELECT 1"))
            await asyncio.sleep(0)

            for _ in range(20):
                assert await User.all().count() == 1
            assert not slow.done()
            await slow


async def test_a_read_sees_what_the_same_task_has_written() -> None:
    """Although it goes over another connection."""
    with unserved(None) as embedded:
        await migrate(embedded.address)
        account = await embedded.new_user()
        async with embedded.models():
            for number in range(200):
                await User.filter(id=account.user_id).update(name=f"name {number}")
                assert (await User.get(id=account.user_id)).name == f"name {number}"
