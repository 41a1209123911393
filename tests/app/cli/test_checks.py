"""`moorings check` asks stores beside a running gateway, and tells people and machines what they said."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from models.checks.report import REMEDIES, CheckCode, CheckDepth
from models.clock import current_second
from tests.support.api.destinations import FORBIDDEN, MISSING, NOT_FOUND, events_of
from tests.support.databases.databases import ENGINES, TIMESTAMP, migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import data_of
from tests.support.graphql.graphql_documents import CHECKED, destination_id
from tests.support.graphql.graphql_operations import NOT_CHECKABLE
from tests.support.secrecy.canary import Canaries, Finder
from tests.support.stores.checking import on_stage
from tests.support.stores.peers import MemoryStore, error, listening

DENIED = "http://10.11.12.13"
ONE = "query ($id: ID!) { backupDestination(id: $id) { ...Checked } }" + CHECKED
Completed = subprocess.CompletedProcess[str]


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A migrated database that no gateway serves."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


async def check(gateway: Gateway, *arguments: object) -> Completed:
    """Run the command while this process goes on, as a store for example."""
    return await asyncio.to_thread(gateway.command, "check", *map(str, arguments))


async def shown(account: Account, id_: int) -> Any:
    """What GraphQL shows of a destination's check."""
    return (await data_of(account, ONE, {"id": destination_id(id_)}))["backupDestination"]


def table_of(completed: Completed) -> list[list[str]]:
    """The id, the outcome, the step and the code of each row."""
    rows = [line for line in completed.stdout.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    return [row[:4] for row in cells if row[0]]


def remedy(code: CheckCode) -> str:
    """The first words of what to do."""
    return " ".join(REMEDIES[code].text.split()[:5])


async def test_a_table_tells_people_and_json_tells_machines_what_was_found(gateway: Gateway) -> None:
    """The outcome is stored for the gateway to show; the status says whether all is well."""
    account, canaries = await gateway.new_user(), Canaries()
    secrets = {"s3_access_key": canaries.new(), "s3_secret_key": canaries.new()}

    async def refuse(_asked: object) -> bytes:
        return error("403 Forbidden", "InvalidAccessKeyId", canaries.new())

    async with listening(MemoryStore().script) as store, listening(MemoryStore(refuse).script) as stern:
        good = await account.create("custom_s3", custom_s3_endpoint=store.url, label="Fêted", **secrets)
        bad = await account.create("custom_s3", custom_s3_endpoint=stern.url, label="[red]Bad\x1b[2J\u202e", **secrets)
        denied = await account.create("custom_s3", custom_s3_endpoint=DENIED, **secrets)
        alone = await check(gateway, good, "--json")
        ((machine,), seen) = json.loads(alone.stdout), await shown(account, good)
        several = await check(gateway, denied, good, bad, good)

    assert (alone.returncode, several.returncode) == (0, 3)
    assert machine == {"id": good, "userId": account.user_id, "label": "Fêted", "report": seen["lastCheck"]}
    assert [step["name"] for step in machine["report"]["steps"]] == list(CheckDepth.FULL.steps)
    assert table_of(several) == [
        [str(good), "reachable", "", ""],
        [str(bad), "UNREACHABLE", "AUTHENTICATE", "INVALID_ACCESS_KEY"],
        [str(denied), "UNREACHABLE", "RESOLVE", "ENDPOINT_NOT_ALLOWED"],
    ]
    for code in (CheckCode.INVALID_ACCESS_KEY, CheckCode.ENDPOINT_NOT_ALLOWED):
        assert remedy(code) in several.stdout
    assert "[red]Bad" in several.stdout
    assert not {"\x1b", "\u202e"} & set(several.stdout)
    assert "Checking" in several.stderr
    assert "3/3" in several.stderr
    assert "Checking" not in several.stdout
    written = f"{alone}{several}".encode()
    assert list(Finder([canaries.mark]).hits(written)) == []
    assert [(await shown(account, id_))["reachability"] for id_ in (good, bad, denied)] == [
        *("REACHABLE", "UNREACHABLE", "UNREACHABLE")
    ]
    checked = [event for event in await events_of(gateway, account.user_id) if event["kind"] == "checked"]
    assert [event["destination_id"] for event in checked].count(good) == 1
    assert {(event["protocol"], event["token_id"]) for event in checked} == {("command_line", None)}


async def test_what_cannot_be_checked_is_refused_in_a_sentence_and_nothing_is_checked(gateway: Gateway) -> None:
    account = await gateway.new_user()
    fine, local = await account.create("custom_s3", custom_s3_endpoint=DENIED), await account.create("local")

    refused = await asyncio.gather(*(check(gateway, fine, id_) for id_ in (MISSING, local)))

    assert [(r.returncode, r.stdout, r.stderr) for r in refused] == [
        (1, "", f"moorings: {NOT_FOUND}\n"),
        (1, "", f"moorings: {NOT_CHECKABLE}\n"),
    ]
    assert FORBIDDEN not in str(refused)
    assert await shown(account, fine) == {"reachability": "UNKNOWN", "lastCheck": None}


async def test_all_are_checked_or_those_that_were_not_for_so_long(database: Gateway) -> None:
    """One that another process checks just now is left to it, and is no failure."""
    async with on_stage(database) as stage:
        ids = [await stage.make(endpoint=DENIED) for _ in range(3)]
    claim = f"claim = 'another', claimed_until = '{current_second() + timedelta(seconds=55)}'"
    await database.rows(f"UPDATE backup_destinations SET {claim} WHERE id = {ids[0]}")  # noqa: S608 - our own integer

    everything = await check(database, "--all", "--json")
    await database.rows(f"UPDATE backup_destinations SET checked_at = {TIMESTAMP} WHERE id = {ids[1]}")  # noqa: S608
    stale = await check(database, "--stale", "6h")

    reports = {row["id"]: row["report"] for row in json.loads(everything.stdout)}
    assert (list(reports), everything.returncode) == (ids, 3)
    assert [report and report["reachable"] for report in reports.values()] == [None, False, False]
    assert stale.returncode == 3
    assert table_of(stale) == [
        [str(ids[0]), "skipped", "", ""],
        [str(ids[1]), "UNREACHABLE", "RESOLVE", "ENDPOINT_NOT_ALLOWED"],
    ]
    assert "Another process checks it" in stale.stdout
