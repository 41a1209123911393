"""A disk that is full under writers: nothing acknowledged is lost, nothing doubled, and reads go on."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.support.figures import amount
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.processes import children
from tests.support.gateway.writers import LIST, Written, client_of, writing

FULL_S = amount(1, 20)
ROOM_BYTES = 60_000
"""That the longest file may still grow by."""
LABELS = "SELECT label FROM backup_destinations"
REFUSALS_S = 30.0


@asynccontextmanager
async def under_writers(gateway: Gateway, figure: Callable[[str], None]) -> AsyncIterator[tuple[Account, Written]]:
    """Writers and a subscriber in the block, and a second user to read; each write was made once in the end."""
    account, reader = await gateway.new_user(), await gateway.new_user()
    await reader.create("local")
    async with writing(account) as written:
        await asyncio.sleep(0.3)
        yield reader, written
    written.expect_once_each(await gateway.rows(LABELS + f" WHERE user_id = {account.user_id}"))
    figure(
        f"{gateway.engine}: full for {FULL_S} s, {written.statuses[503]} times 503; {len(written.ids)} acknowledged "
        f"writes, none lost, none doubled"
    )


async def expect_refusals_and_reads(reader: Account, written: Written) -> None:
    """Writes are refused as unavailable, and reads are answered."""
    async with client_of(reader) as client, asyncio.timeout(REFUSALS_S + FULL_S):
        while not written.statuses[httpx.codes.SERVICE_UNAVAILABLE]:
            assert (await client.get(LIST)).status_code == httpx.codes.OK
            await asyncio.sleep(0.05)
        await asyncio.sleep(FULL_S)
        assert (await client.get(LIST)).status_code == httpx.codes.OK


async def test_a_full_disk_beneath_sqlite_loses_nothing(figure: Callable[[str], None]) -> None:
    """No file of the database may grow: each process has a limit, which the kernel keeps as it keeps a full disk."""
    gateway = Gateway(log_level="WARNING").start()
    try:
        async with under_writers(gateway, figure) as (reader, written):
            _limit(gateway, _longest_file(gateway.directory) + ROOM_BYTES)
            await expect_refusals_and_reads(reader, written)
            _limit(gateway, resource.RLIM_INFINITY)
    finally:
        gateway.close()


def _longest_file(folder: Path) -> int:
    """The size in bytes of the longest file of a folder."""
    return max(file.stat().st_size for file in folder.iterdir())


def _limit(gateway: Gateway, max_bytes: int) -> None:
    for pid in (gateway.pid, *children(gateway.pid)):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (max_bytes, resource.RLIM_INFINITY))
