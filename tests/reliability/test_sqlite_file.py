"""The file of the embedded database goes away beneath the gateway: nothing is acknowledged into a file that is gone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.gateway.gateway import Account, Gateway

LIST = "/api/backup-destinations"
DEADLINE_S = 30.0
FILES = ("", "-wal", "-shm")
GONE = "went away; reads and writes are refused until it is back"


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """A user of a gateway on an embedded database."""
    gateway = Gateway().start()
    yield await gateway.new_user()
    gateway.close()


def path_of(account: Account) -> Path:
    path = account.gateway.address.path
    assert path is not None
    return path


def move(path: Path, elsewhere: Path) -> None:
    """Move the database with its companions."""
    for suffix in FILES:
        Path(f"{path}{suffix}").replace(f"{elsewhere}{suffix}")


def delete(path: Path, suffixes: Iterable[str] = FILES) -> None:
    """Delete the database with its companions, or one of them."""
    for suffix in suffixes:
        Path(f"{path}{suffix}").unlink()


async def expect_refusals(client: httpx.AsyncClient) -> None:
    """Writes at once, reads and `/readyz` too, and the process is alive."""
    assert (await client.post(LIST, json={"label": "Lost", "type": "local"})).status_code == 503
    for _ in range(3):
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get(LIST)).status_code == 503
        assert (await client.post(LIST, json={"label": "Lost", "type": "local"})).status_code == 503
    assert (await client.get("/healthz")).status_code == 200


async def expect_service(client: httpx.AsyncClient, total: int) -> None:
    """Ready again, with what was acknowledged, and it takes writes."""
    async with asyncio.timeout(DEADLINE_S):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - another process is asked
            await asyncio.sleep(0.05)
    assert (await client.get(LIST)).json()["meta"]["total"] == total
    assert (await client.post(LIST, json={"label": "After", "type": "local"})).status_code == 201
    assert (await client.get(LIST)).json()["meta"]["total"] == total + 1


async def test_a_file_that_was_deleted_is_written_no_more(account: Account) -> None:
    """And one log line says so."""
    await account.create("local")
    async with account.client() as client:
        delete(path_of(account))

        await expect_refusals(client)

    log = await account.gateway.logged("it was deleted")
    assert log.count(GONE) == 1
    assert not path_of(account).exists(), "no new one was made in its place"


async def test_nothing_asks_and_the_log_says_that_the_file_was_deleted(account: Account) -> None:
    delete(path_of(account))

    async with asyncio.timeout(DEADLINE_S):
        while GONE not in account.gateway.log_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)


async def test_a_file_that_comes_back_is_served_again(account: Account, tmp_path: Path) -> None:
    await account.create("local")
    async with account.client() as client:
        move(path_of(account), tmp_path / "elsewhere.db")
        await expect_refusals(client)

        move(tmp_path / "elsewhere.db", path_of(account))

        await expect_service(client, total=1)
    assert (await account.gateway.logged("is back, after")).count("is back, after") == 1


async def test_a_backup_in_its_place_is_opened(account: Account, tmp_path: Path) -> None:
    """It is the same installation's: the same tables, the same keys."""
    await account.create("local")
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(path_of(account))) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    await account.create("local")
    async with account.client() as client:
        move(path_of(account), tmp_path / "elsewhere.db")
        await expect_refusals(client)

        backup.replace(path_of(account))

        await expect_service(client, total=1)


async def test_another_database_in_its_place_is_refused(account: Account, tmp_path: Path) -> None:
    """An empty one, as a restart elsewhere may have made it."""
    await account.create("local")
    async with account.client() as client:
        with closing(sqlite3.connect(tmp_path / "empty.db")) as empty:
            empty.execute("CREATE TABLE users (id INTEGER)")
        (tmp_path / "empty.db").replace(path_of(account))

        await expect_refusals(client)

    assert await account.gateway.logged("it was replaced by another file")


async def test_a_deleted_wal_loses_nothing(account: Account) -> None:
    """It holds the newest commits, and the gateway has it open: they go into the file itself."""
    await account.create("local")
    async with account.client() as client:
        delete(path_of(account), ("-wal",))

        await expect_service(client, total=1)
