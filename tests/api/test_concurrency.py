"""Many requests at once to several workers on one database: nothing is lost, doubled, reverted or miscounted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support import figures
from tests.support.api.destinations import LIST, at, draft, events_of, stored
from tests.support.databases.databases import ENGINES, database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Account, Gateway

WORKERS = 4
AT_ONCE = figures.amount(50, 200)
DEADLINE_S = 60.0
COLUMNS = {
    "label": "label",
    "s3_bucket_name": "bucket_name",
    "custom_s3_region": "region",
    "custom_s3_endpoint": "endpoint",
    "path_style_endpoint": "path_style_endpoint",
}
"""Which column a field of a request is stored in."""


@pytest.fixture(scope="module", params=ENGINES)
def busy_gateway(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway of several processes on a database of each engine."""
    gateway = Gateway(database_url(request.param, postgres), workers=WORKERS).start()
    yield gateway
    gateway.close()


@pytest.fixture
async def account(busy_gateway: Gateway) -> Account:
    """A user without destinations."""
    return await busy_gateway.new_user()


async def all_of(client: httpx.AsyncClient, requests: Iterable[httpx.Request], status: int) -> list[Any]:
    """Send everything at once; every answer has that status, and these are their bodies.

    On a busy machine the last of them wait longer for the database than the gateway lets them. Those are answered 503,
    which promises that nothing was done, and sent again after the time the answer names.
    """

    async def send(request: httpx.Request) -> httpx.Response:
        answer = await client.send(request)
        while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            await asyncio.sleep(int(answer.headers["retry-after"]))
            answer = await client.send(request)
        return answer

    async with asyncio.timeout(DEADLINE_S):
        answers = await asyncio.gather(*map(send, requests))
    assert [answer.text for answer in answers if answer.status_code != status] == []
    return [answer.json() for answer in answers]


async def assert_counted(account: Account, client: httpx.AsyncClient, wanted: set[int]) -> None:
    """Exactly these destinations are there; the list's total, the user's count and the rows agree."""
    first = (await client.get(LIST, params={"per_page": 100})).json()
    pages = [
        await client.get(LIST, params={"per_page": 100, "page": n}) for n in range(1, first["meta"]["last_page"] + 1)
    ]
    listed = [row["id"] for page in pages for row in page.json()["data"]]
    counted = f"SELECT destination_count AS n FROM users WHERE id = {account.user_id}"  # noqa: S608 - our own integer

    assert listed == sorted(wanted)
    assert first["meta"]["total"] == len(wanted)
    assert await account.gateway.rows(counted) == [{"n": len(wanted)}]


def value_of(field: str, number: int) -> Any:
    """A value for a field, another one for every number; a boolean has only two, which take turns."""
    match field:
        case "path_style_endpoint":
            return number % 2 == 0
        case "custom_s3_endpoint":
            # The same store, whose name is kept as it was written; another store would need the keys again.
            name = "".join(letter.upper() if number >> bit & 1 else letter for bit, letter in enumerate("example"))
            return f"https://s3.{name}.com"
        case _:
            return f"{field} {number}"


async def test_destinations_created_at_once_are_all_there_and_all_counted(account: Account) -> None:
    """Each answer has an id of its own, and the count has not skipped one."""
    async with account.client() as client:
        bodies = await all_of(
            client, (client.build_request("POST", LIST, json=draft("local", label=f"{n}")) for n in range(AT_ONCE)), 201
        )
        rows = {body["data"]["id"]: body["data"]["label"] for body in bodies}

        assert sorted(rows.values(), key=int) == [f"{n}" for n in range(AT_ONCE)]
        await assert_counted(account, client, set(rows))


async def test_different_fields_changed_at_once_are_all_kept(account: Account) -> None:
    """Round after round, five requests change a field each: a lost update would show the value of the round before."""
    id_ = await account.create("custom_s3", custom_s3_region="region 0")
    async with account.client() as client:
        for number in range(1, AT_ONCE // len(COLUMNS) + 1):
            sent = {field: value_of(field, number) for field in COLUMNS}
            await all_of(
                client,
                (client.build_request("PUT", at(id_), json={field: value}) for field, value in sent.items()),
                200,
            )
            row = await stored(account.gateway, id_)

            assert {field: row[column] for field, column in COLUMNS.items()} == sent

    changes = [event["changed_fields"] for event in await events_of(account.gateway, account.user_id)]
    assert sorted(changes[1:]) == sorted([*COLUMNS.values()] * (AT_ONCE // len(COLUMNS)))


async def test_one_row_changed_by_many_at_once_never_shows_what_nobody_sent(account: Account) -> None:
    """Each answer has its own change, each field ends with a value sent for it, and each event names one field."""
    id_ = await account.create("custom_s3", custom_s3_region="region 0")
    sent = [(field, value_of(field, number)) for number in range(AT_ONCE // len(COLUMNS)) for field in COLUMNS]
    async with account.client() as client:
        bodies = await all_of(
            client, (client.build_request("PUT", at(id_), json={field: value}) for field, value in sent), 200
        )
    row = await stored(account.gateway, id_)
    _, *events = await events_of(account.gateway, account.user_id)

    shown = {"custom_s3_endpoint": "s3_endpoint"}
    for (field, value), body in zip(sent, bodies, strict=True):
        assert body["data"].get(shown.get(field, field), value) == value
    assert all((field, row[column]) in sent for field, column in COLUMNS.items())
    assert {event["changed_fields"] for event in events} <= set(COLUMNS.values())
    assert len(events) >= AT_ONCE - AT_ONCE // len(COLUMNS)


async def test_creates_and_deletes_at_once_are_counted_and_told_in_order(account: Account) -> None:
    """A reader of the events meanwhile sees them grow at the end only, and at the end each operation has one."""
    async with account.client() as client, growing_events(account) as seen:
        first = await all_of(
            client, (client.build_request("POST", LIST, json=draft("local")) for _ in range(AT_ONCE // 2)), 201
        )
        doomed = {body["data"]["id"] for body in first}
        creates = all_of(
            client, (client.build_request("POST", LIST, json=draft("local")) for _ in range(AT_ONCE // 2)), 201
        )
        deletes = all_of(client, (client.build_request("DELETE", at(id_)) for id_ in doomed), 200)
        created = (await asyncio.gather(creates, deletes))[0]
        kept = {body["data"]["id"] for body in created}
        await assert_counted(account, client, kept)

    events = await events_of(account.gateway, account.user_id)
    pairs = [(event["kind"], event["destination_id"]) for event in events]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == {("created", id_) for id_ in doomed | kept} | {("deleted", id_) for id_ in doomed}
    assert all(pairs.index(("created", id_)) < pairs.index(("deleted", id_)) for id_ in doomed)
    assert len(seen) > 1


@asynccontextmanager
async def growing_events(account: Account) -> AsyncIterator[list[list[int]]]:
    """Read the ids of the user's events again and again: what was read once stays, and what comes comes after it."""
    seen: list[list[int]] = [[]]
    finished = asyncio.Event()

    async def read() -> None:
        while not finished.is_set():
            ids = [event["id"] for event in await events_of(account.gateway, account.user_id)]
            assert ids[: len(seen[-1])] == seen[-1]
            seen.append(ids)
            await asyncio.sleep(0.01)  # reading SQLite blocks the loop

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        yield seen
        finished.set()
