"""A write whose connection is lost at the commit has an unknown outcome, and a key finds out: never two, never none."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from app.database import migrate
from models.accounts.user import User
from models.database.postgresql import COMMAND_S, POOL_DEFAULTS
from models.database.sqlite import MooringsSqliteClient
from models.database.sqlite_thread import in_thread
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.table import BackupDestination
from models.errors import OutcomeUnknown
from models.writes.idempotency import KeyedRequest
from tests.app.test_serving import children
from tests.support.api.destinations import LIST, assert_refused, at
from tests.support.api.writes import SERVICE
from tests.support.databases.databases import unserved, viewer_of
from tests.support.databases.failing_fsync import fail_fsyncs
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.tcp_proxy import Fate, TcpProxy
from tests.support.figures import amount
from tests.support.gateway.behind_proxy import BehindProxy, behind_proxy
from tests.support.gateway.gateway import Gateway
from tests.support.graphql.graphql_client import PATH

CUTS = amount(20, 200)
WRITERS = 4
ANSWERED_WITHIN_S = 15.0
LOCAL = {Attribute.KIND: DestinationKind.LOCAL, Attribute.LABEL: "a label"}
CREATE = """mutation($label: String!) { createBackupDestination(input: {local: {label: $label}}) {
  ... on CreateBackupDestinationPayload { backupDestination { databaseId } } } }"""
UNAVAILABLE = "The database is not available just now; try again in a moment."
UNKNOWN = "The outcome is unknown: the connection to the database was lost while the change was being stored."
END_WRITERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO backup_destinations%'"""


@pytest.fixture(scope="module")
def through_proxy(postgres: PostgresServer) -> Iterator[BehindProxy]:
    """A gateway whose connections to PostgreSQL go through a proxy."""
    with behind_proxy(postgres) as through_proxy:
        yield through_proxy


@pytest.fixture(scope="module")
def proxy(through_proxy: BehindProxy) -> TcpProxy:
    """The proxy between the gateway and its PostgreSQL."""
    return through_proxy.proxy


@pytest.fixture(scope="module")
def behind(through_proxy: BehindProxy) -> Gateway:
    """The gateway behind it."""
    return through_proxy.gateway


@pytest.fixture
async def client(behind: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a user of that gateway."""
    async with (await behind.new_user()).client() as client:
        yield client


async def labels(client: httpx.AsyncClient) -> list[str]:
    """The labels of all destinations."""
    found: list[str] = []
    page = 1
    while rows := (await client.get(LIST, params={"per_page": 100, "page": page})).json()["data"]:
        found += [row["label"] for row in rows]
        page += 1
    return found


def create(client: httpx.AsyncClient, label: str, key: str | None = None) -> Any:
    """A request for a new destination, by REST."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(LIST, json={"label": label, "type": "local"}, headers=headers)


def mutate(client: httpx.AsyncClient, label: str, key: str | None = None) -> Any:
    """The same by GraphQL."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(PATH, json={"query": CREATE, "variables": {"label": label}}, headers=headers)


def assert_unknown(answer: httpx.Response, *, has_key: bool) -> None:
    """REST says that the outcome is unknown and how to find out, and asks for a repetition only under a key."""
    message = assert_refused(answer, 503)["message"]
    assert message.startswith(UNKNOWN)
    assert "Idempotency-Key" in message
    assert ("read the list" in message) is not has_key
    assert "try again" not in message
    assert answer.headers.get("Retry-After") == ("1" if has_key else None)


def assert_unknown_error(answer: httpx.Response, *, has_key: bool) -> None:
    """The same of GraphQL."""
    (error,) = answer.json()["errors"]
    assert answer.json()["data"] is None
    assert error["extensions"] == {"code": "OUTCOME_UNKNOWN", **({"retryAfter": 1} if has_key else {})}
    assert error["message"].startswith(UNKNOWN)


@pytest.mark.parametrize("fate", [Fate.CUT_BEFORE, Fate.CUT_AFTER, Fate.POOLER])
async def test_a_write_that_is_cut_off_at_its_commit_has_an_unknown_outcome(
    client: httpx.AsyncClient, proxy: TcpProxy, fate: Fate
) -> None:
    """By both APIs, with and without a key; what was stored depends on which side of the commit the cut was."""
    sent = []
    for send, assert_it in ((create, assert_unknown), (mutate, assert_unknown_error)):
        for key in (None, f"{fate.name}-{send.__name__}"):
            sent.append(f"{send.__name__} {key}")
            proxy.decide([fate])
            assert_it(await send(client, sent[-1], key), has_key=key is not None)

    assert await labels(client) == ([] if fate is Fate.CUT_BEFORE else sent)


async def test_a_write_that_is_never_answered_has_an_unknown_outcome_in_time(
    behind: Gateway, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that stays open and silent behind the commit: only a time limit notices, here with the models."""
    limit_s = amount(1, int(COMMAND_S))
    monkeypatch.setitem(POOL_DEFAULTS, "command_timeout", limit_s)
    user_id = (await behind.new_user()).user_id
    async with behind.models():
        viewer = viewer_of(await User.get(id=user_id))
        proxy.decide([Fate.SILENCE] * 2)
        begun = time.monotonic()
        keyed = KeyedRequest.of("silent").act()
        again = LOCAL | {Attribute.LABEL: "sent again"}
        acts = [SERVICE.create(viewer, LOCAL), SERVICE.create(viewer, again, keyed=keyed)]
        outcomes = await asyncio.gather(*acts, return_exceptions=True)
        waited_s = time.monotonic() - begun
        proxy.forget()

        assert [isinstance(outcome, OutcomeUnknown) and outcome.has_key for outcome in outcomes] == [False, True]
        assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 2
        assert limit_s <= waited_s < ANSWERED_WITHIN_S
        await SERVICE.create(viewer, again, keyed=keyed)
        assert await BackupDestination.filter(user_id=user_id, label="sent again").count() == 1


async def test_a_session_that_is_ended_at_its_write_has_an_unknown_outcome_and_a_lock_a_certain_one(
    behind: Gateway, client: httpx.AsyncClient, postgres: PostgresServer
) -> None:
    """A failure before the commit stays what it was: nothing was done, try again."""
    url = urlsplit(postgres.url("x"))._replace(path=urlsplit(behind.database_url).path).geturl()
    outside, watching = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        async with outside.transaction():
            await outside.execute("LOCK TABLE backup_destinations IN SHARE MODE")
            ended = asyncio.create_task(create(client, "ended"))
            async with asyncio.timeout(2):
                while not await watching.fetch(END_WRITERS):
                    pass
            assert_unknown(await ended, has_key=False)
            *refused, by_graphql = await asyncio.gather(
                create(client, "locked"), create(client, "locked with a key", "locked"), mutate(client, "locked")
            )
    finally:
        await watching.close()
        await outside.close()

    (error,) = by_graphql.json()["errors"]
    assert (error["message"], error["extensions"]["code"]) == (UNAVAILABLE, "SERVICE_UNAVAILABLE")
    for answer in refused:
        assert assert_refused(answer, 503)["message"] == UNAVAILABLE
        assert answer.headers["Retry-After"] == "1"
    assert await labels(client) == []


async def test_a_write_repeated_under_one_key_is_made_once_wherever_it_is_cut(
    client: httpx.AsyncClient, proxy: TcpProxy, figure: Callable[[str], None]
) -> None:
    """Never two, never none: each is sent until it is answered, through a proxy that cuts at random commits."""
    chance = random.Random(1)  # noqa: S311 - no secret
    before, kept, attempts = proxy.cuts, list[str](), 0

    async def until_answered(send: Callable[[], Any]) -> httpx.Response:
        nonlocal attempts
        for _ in range(200):
            proxy.decide([chance.choice([None, Fate.CUT_BEFORE, Fate.CUT_AFTER, Fate.POOLER])])
            attempts += 1
            answer: httpx.Response = await send()
            if answer.is_success and "errors" not in answer.json():
                return answer
            assert answer.status_code in (200, 409, 503), answer.text
            await asyncio.sleep(0.01)
        raise AssertionError("a write was never answered")

    async def make(label: str, send: Callable[..., Any]) -> int:
        made = await until_answered(lambda: send(client, label, f"make-{label}"))
        data = made.json()["data"]
        return int(data["id"] if "id" in data else data["createBackupDestination"]["backupDestination"]["databaseId"])

    async def remove(label: str, id_: int) -> None:
        await until_answered(lambda: client.delete(at(id_), headers={"Idempotency-Key": f"remove-{label}"}))

    async def write(writer: int) -> None:
        for number in count():
            label = f"{writer}-{number}"
            id_ = await make(label, (create, mutate)[number % 2])
            if number % 3:
                kept.append(label)
            else:
                await remove(label, id_)
            if proxy.cuts - before >= CUTS:
                break

    await asyncio.gather(*map(write, range(WRITERS)))
    proxy.forget()

    assert sorted(await labels(client)) == sorted(kept)
    figure(
        f"{proxy.cuts - before} cuts at a commit, {attempts} requests, {len(kept)} writes left: none lost, none twice"
    )


def limit_files(gateway: Gateway, max_bytes: int) -> None:
    """Let the gateway's processes write no file beyond that length."""
    for pid in (gateway.pid, *children(gateway.pid)):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (max_bytes, resource.RLIM_INFINITY))


async def test_a_disk_that_fails_at_the_commit_leaves_an_unknown_outcome() -> None:
    """On SQLite: what reached the disk may be there after a restart. A key finds out, and the gateway serves on."""
    gateway = Gateway().start()
    try:
        async with (await gateway.new_user()).client() as client:
            with closing(sqlite3.connect(str(gateway.address.path), timeout=10)) as outside:
                outside.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # a log that begins anew is written to its end
            for _ in range(5):  # it gets longer than what SQLite writes elsewhere before a commit
                assert (await create(client, "before")).status_code == 201
            size = os.path.getsize(f"{gateway.address.path}-wal")  # noqa: ASYNC240, PTH202 - a file of this machine
            limit_files(gateway, size + 100)
            unknown = [await create(client, "plain"), await create(client, "keyed", "a")]
            by_graphql = await mutate(client, "by GraphQL")
            limit_files(gateway, resource.RLIM_INFINITY)
            answers = [await create(client, "keyed", "a") for _ in range(2)]

            for answer, has_key in zip(unknown, (False, True), strict=True):
                assert_unknown(answer, has_key=has_key)
            assert_unknown_error(by_graphql, has_key=False)
            assert [answer.status_code for answer in answers] == [201, 201]
            assert (await labels(client)).count("keyed") == 1
    finally:
        gateway.close()


async def test_a_disk_that_fails_to_synchronise_leaves_an_unknown_outcome_to_all_that_share_the_commit() -> None:
    """On SQLite: the kernel answers EIO to the fsync behind a commit that is in the file. A key finds out later."""
    with unserved(None) as embedded:
        await migrate(embedded.address)
        user_id = (await embedded.new_user()).user_id
        async with embedded.models():
            viewer = viewer_of(await User.get(id=user_id))
            database: Any = User._meta.db
            assert isinstance(database, MooringsSqliteClient)
            writer = await database.storage.writer()
            await in_thread(writer.connection, fail_fsyncs)
            keyed = [KeyedRequest.of(f"{number}").act() for number in range(3)]
            writes = [SERVICE.create(viewer, LOCAL, keyed=act) for act in keyed]
            outcomes = await asyncio.gather(*writes, SERVICE.create(viewer, LOCAL), return_exceptions=True)
        async with embedded.models():
            again = [await SERVICE.create(viewer, LOCAL, keyed=act) for act in (*keyed, *keyed)]
            made = await BackupDestination.filter(user_id=user_id).count()

    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 4
    assert [isinstance(outcome, OutcomeUnknown) and outcome.has_key for outcome in outcomes] == [True] * 3 + [False]
    assert [row.id for row in again[:3]] == [row.id for row in again[3:]]
    assert made in (3, 4)  # the one without a key may be there, and nobody was told otherwise
