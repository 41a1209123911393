"""The programs of `examples` for Python and curl, as they stand there, on real gateways."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_operations import NOT_CHECKABLE
from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"
PYTHON = (sys.executable, str(EXAMPLES / "python" / "backup_destinations.py"))
CURL = ("sh", str(EXAMPLES / "curl" / "backup-destinations.sh"))
DEADLINE_S = 60


@pytest.fixture(scope="module")
def own() -> Iterator[Gateway]:
    """A gateway that a test may restart."""
    gateway = Gateway().start()
    yield gateway
    gateway.close()


async def start(
    command: Sequence[str], account: Account, *arguments: str, **variables: str
) -> asyncio.subprocess.Process:
    """Start a program with the account's token."""
    environment = {**os.environ, "MOORINGS_URL": account.gateway.url, "MOORINGS_TOKEN": account.token, **variables}
    return await asyncio.create_subprocess_exec(
        *command,
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def run(command: Sequence[str], account: Account, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run a program; its exit status and what it wrote to both streams."""
    process = await start(command, account, *arguments, **variables)
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode().strip(), err.decode().strip()


@asynccontextmanager
async def following(command: Sequence[str], account: Account, *after: str) -> AsyncIterator[asyncio.StreamReader]:
    """What a program that follows events writes; it is stopped afterwards."""
    process = await start(command, account, "follow", *after)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # a shell leaves the programs of its pipe behind otherwise
        await process.communicate()


async def until_heard(written: asyncio.StreamReader, account: Account) -> str:
    """Make destinations until the program writes of one: it begins to listen when it is there."""
    line = asyncio.ensure_future(written.readline())
    async with asyncio.timeout(DEADLINE_S):
        while not line.done():
            await account.create("local")
            await asyncio.wait([line], timeout=0.2)
    return line.result().decode()


@pytest.mark.parametrize("command", [PYTHON, CURL], ids=["python", "curl"])
async def test_a_list_has_every_page(gateway: Gateway, command: Sequence[str]) -> None:
    account = await gateway.new_user()
    expected = [f"Row {number}" for number in range(101)]
    for label in expected:
        await account.create("local", label=label)

    status, out, err = await run(command, account, "list")

    assert (status, err) == (0, "")
    assert [line.split("\t")[1] for line in out.splitlines()] == expected


async def test_the_python_program_creates_and_says_what_is_wrong(gateway: Gateway) -> None:
    account = await gateway.new_user()
    keys = {"ACCESS_KEY": "AKIATEST", "SECRET_KEY": "a-secret"}

    status, made, _ = await run(PYTHON, account, "create", "Nightly", "nightly", "https://s3.example.com", **keys)
    refused = await run(PYTHON, account, "create", "Nightly", "", "https://s3.example.com", ACCESS_KEY="")
    listed = await run(PYTHON, account, "list")

    assert (status, made.startswith("BackupDestination:")) == (0, True)
    assert refused[0] == 1
    assert sorted(line.partition(":")[0] for line in refused[2].splitlines()) == [
        *("customS3.bucketName", "customS3.credentials.accessKey", "customS3.credentials.secretKey")
    ]
    assert listed[1].split("\t") == [made, "Nightly", "nightly", "UNKNOWN"]


async def test_the_curl_program_creates_once(gateway: Gateway) -> None:
    account = await gateway.new_user()

    status, made, err = await run(CURL, account, "create", "On this server")
    listed = await run(CURL, account, "list")

    assert (status, err) == (0, "")
    assert listed[1].split("\t") == [made, "On this server", "Local"]


@pytest.mark.parametrize("command", [PYTHON, CURL], ids=["python", "curl"])
async def test_a_check_ends_in_a_sentence(gateway: Gateway, command: Sequence[str]) -> None:
    account = await gateway.new_user()
    local = await account.create("local")
    nowhere = await account.create("custom_s3", custom_s3_endpoint="http://127.0.0.1:1")

    refused = await run(command, account, "check", f"BackupDestination:{local}")
    failed = await run(command, account, "check", f"BackupDestination:{nowhere}")

    assert refused[1] == NOT_CHECKABLE
    assert failed[1].startswith("CONNECT: ")


async def test_the_python_program_follows_over_a_restart(own: Gateway) -> None:
    account = await own.new_user()
    async with following(PYTHON, account) as written:
        assert (await until_heard(written, account)).startswith("BackupDestinationCreated\t")
        own.stop()
        own.start()
        missed = f"BackupDestination:{await account.create('s3')}"
        async with asyncio.timeout(DEADLINE_S):
            while not (line := (await written.readline()).decode()).endswith(f"\t{missed}\n"):
                assert line.startswith("BackupDestinationCreated\t")


async def test_the_curl_program_follows(gateway: Gateway) -> None:
    account = await gateway.new_user()
    async with following(CURL, account) as written:
        kind, _, seen = (await until_heard(written, account)).strip().split("\t")
    missed = f"BackupDestination:{await account.create('local')}"
    async with following(CURL, account, seen) as written, asyncio.timeout(DEADLINE_S):
        while (line := (await written.readline()).decode().split("\t"))[1] != missed:
            assert line[0] == kind == "BackupDestinationCreated"
