"""Behind PgBouncer in transaction mode everything works as before PostgreSQL: no state of a session is relied on.

Debian's PgBouncer (1.18) knows no prepared statements and refuses to begin a session with limits of time. One of the
PATH is used before it: `make poolers` brings a newer one, which knows statements by name and passes the same tests.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction

from app.doctor.databases import look_at_database
from app.doctor.finding import Finding, State
from app.postgres_listener import UNHEARD, listen
from models.accounts.user import User
from models.database.connecting.poolers import Sessions
from models.database.postgresql import LIMITS, SERVER_SETTINGS
from models.events.event_stream import EventStreams
from models.reads.reads import Reads
from tests.app.test_check_scheduler import EARLIEST_S, EVERY_S, SeenChecks
from tests.support.api.destinations import LIST, at
from tests.support.databases.postgres import PostgresServer
from tests.support.figures import amount
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.processes import children
from tests.support.graphql.graphql_client import PATH, over_sse
from tests.support.proxies.pgbouncer import PgBouncer, pgbouncer
from tests.support.stopwatch import Stopwatch
from tests.support.stores.checking import until
from tests.support.stores.peers import MemoryStore, listening

SESSIONS = 3
"""Of the pooler, fewer than the gateway's connections, so that transactions change between them."""
WRITERS, WRITES = 8, amount(6, 60)
QUERY = "{ viewer { id } backupDestinations(first: 3) { nodes { id } } }"
EVENTS = 'subscription { backupDestinationEvents(after: "BackupDestinationEvent:0") { id } }'
"""From the beginning: without a position it begins when the stream is open, which may be behind the first write."""
DEADLINE_S = 20
MAX_WAIT_S = 6.0
Figure = Callable[[str], None]


@pytest.fixture(scope="module")
def direct_url(postgres: PostgresServer) -> str:
    """A database of these tests' own, on PostgreSQL itself."""
    name = f"pooled_{uuid4().hex}"
    postgres.create_database(name)
    return postgres.url(name)


@pytest.fixture(scope="module")
def pooler(direct_url: str) -> Iterator[PgBouncer]:
    """PgBouncer before it, configured as its package leaves it."""
    with pgbouncer(direct_url, size=SESSIONS) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def pooled(direct_url: str, pooler: PgBouncer) -> Iterator[Gateway]:
    """Two workers behind it, which migrated the database through it, with a URL of their own to listen over."""
    gateway = Gateway(
        pooler.url(direct_url),
        workers=2,
        listen_database_url=direct_url,
        s3_allow="127.0.0.1",
        check_interval=f"{EVERY_S}s",
    )
    yield gateway.start()
    gateway.close()


@pytest.fixture
async def account(pooled: Gateway) -> Account:
    """A user of that gateway."""
    return await pooled.new_user()


@pytest.fixture
async def client(account: Account) -> AsyncIterator[httpx.AsyncClient]:
    """The user's client."""
    async with account.client() as client:
        yield client


async def test_a_write_that_got_no_session_was_not_made_and_is_said_so(
    client: httpx.AsyncClient, direct_url: str, pooler: PgBouncer
) -> None:
    """Others hold all sessions of the pooler: its transaction never began, so that nothing is unknown of the write."""
    others = [await asyncpg.connect(pooler.url(direct_url), statement_cache_size=0) for _ in range(SESSIONS)]
    try:
        assert (await client.get(LIST)).status_code == httpx.codes.OK
        for other in others:
            await other.execute("BEGIN")
        started = time.monotonic()
        answer = await client.post(LIST, json={"label": "No session", "type": "local"})
        waited_s = time.monotonic() - started
    finally:
        for other in others:
            other.terminate()
    async with asyncio.timeout(DEADLINE_S):
        while (listed := await client.get(LIST)).status_code != httpx.codes.OK:  # noqa: ASYNC110 - each asks
            await asyncio.sleep(0.1)

    assert (answer.status_code, answer.json()["message"]) == (
        httpx.codes.SERVICE_UNAVAILABLE,
        "The database is not available just now; try again in a moment.",
    )
    assert waited_s < MAX_WAIT_S
    assert "No session" not in [row["label"] for row in listed.json()["data"]]


async def test_racing_writers_and_readers_lose_and_repeat_nothing(
    client: httpx.AsyncClient, pooled: Gateway, pooler: PgBouncer, figure: Figure
) -> None:
    """More transactions at once than the pooler has sessions: each is made once, and every read is answered."""
    statuses: Counter[int] = Counter()
    kept: set[str] = set()

    async def write(writer: int) -> None:
        for number in range(WRITES):
            label = f"{writer}-{number}"
            headers = {"Idempotency-Key": label}
            body = {"label": label, "type": "local"}
            first, second = await asyncio.gather(
                client.post(LIST, json=body, headers=headers), client.post(LIST, json=body, headers=headers)
            )
            done = [answer for answer in (first, second) if answer.status_code != httpx.codes.CONFLICT]
            assert {answer.status_code for answer in done} == {201}, done[0].text
            path = at(done[0].json()["data"]["id"])
            answers = [
                await client.get(path),
                await client.get(LIST, params={"per_page": number + 1}),
                await client.put(path, json=body | {"label": f"{label}!"}),
                await client.post(PATH, json={"query": QUERY}),
            ]
            if number % 3 == 0:
                answers.append(await client.delete(path))
            else:
                kept.add(f"{label}!")
            statuses.update(answer.status_code for answer in answers)
            assert "errors" not in answers[3].json(), answers[3].text

    started = time.monotonic()
    await asyncio.gather(*map(write, range(WRITERS)))
    seconds = time.monotonic() - started
    found: list[str] = []
    while rows := (await client.get(LIST, params={"per_page": 100, "page": len(found) // 100 + 1})).json()["data"]:
        found += [row["label"] for row in rows]
        if len(rows) < 100:
            break

    assert not statuses.keys() - {200, 204}
    assert sorted(found) == sorted(kept)
    figure(
        f"{WRITERS} writers, {SESSIONS} sessions: {statuses.total() + WRITERS * WRITES * 2} requests in {seconds:.1f} s"
    )
    unexpected = [line for line in pooled.log_text().splitlines() if "ERROR" in line or "Traceback" in line]
    assert unexpected == []
    assert "prepared statement" not in pooler.log_text()


async def test_events_of_another_process_arrive_at_once_over_a_url_of_their_own(
    account: Account, client: httpx.AsyncClient, pooled: Gateway
) -> None:
    """A stream is at one of two workers; the writes are at either, and a poll would bring half of them late."""
    latencies: list[float] = []
    workers = children(pooled.pid)
    async with over_sse(account, EVENTS) as stream, asyncio.timeout(DEADLINE_S):
        for number in range(12):
            written = Stopwatch(*workers)
            assert (await client.post(LIST, json={"label": f"{number}", "type": "local"})).status_code == 201
            await stream.events(1)
            latencies.append(written.seconds)

    assert sorted(latencies)[len(latencies) // 2] < 0.5, latencies
    assert UNHEARD not in pooled.log_text()


async def test_checks_by_the_clock_are_made_once_by_two_workers(account: Account) -> None:
    """What a worker leases is a row, not a lock of a session."""
    seen = SeenChecks()
    async with listening(MemoryStore(seen.note).script) as store:
        for number in range(4):
            await account.create("custom_s3", s3_bucket_name=f"bucket-{number}", custom_s3_endpoint=store.url)
        await until(lambda: len(seen.begun) == 4 and min(map(len, seen.begun.values())) >= 2)
        begun = {bucket: list(times) for bucket, times in seen.begun.items()}

    assert seen.twice == []
    for times in begun.values():
        assert [b - a for a, b in itertools.pairwise(times) if b - a < EARLIEST_S] == []


async def test_every_statement_has_its_limits_of_time_though_no_session_has(pooled: Gateway, direct_url: str) -> None:
    """Those of a transaction, of the ORM and of a prepared read; what a pooler's session keeps is nothing."""
    sql = "SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock"
    async with pooled.models():
        database: Any = User._meta.db
        (read,) = await database.fetch(sql)
        async with in_transaction() as transaction:
            (within,) = await transaction.execute_query_dict(sql)
        _, (written,) = await database.execute_query(f"WITH x AS (SELECT 1) {sql}")
    session = await asyncpg.connect(pooled.database_url, statement_cache_size=0)
    (kept,) = await session.fetch(sql)
    await session.close()

    assert dict(read) == dict(within) == dict(written) == {"statement": "3500ms", "lock": "2s"}
    assert dict(kept) == {"statement": "0", "lock": "0"}


async def test_statements_that_fail_are_rolled_back_without_a_complaint(
    pooled: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """More of them than there are sessions: none is left inside of a transaction, and asyncpg logs nothing of it."""
    wrong = "SELECT 1 / (SELECT 0)"
    async with pooled.models():
        database: Any = User._meta.db
        for _ in range(SESSIONS + 1):
            with pytest.raises(asyncpg.DivisionByZeroError):
                await database.fetch(wrong)
            with pytest.raises(OperationalError, match="division"):
                await database.execute_script(wrong)
            with pytest.raises(OperationalError, match="division"):
                async with in_transaction() as transaction:
                    await transaction.execute_script(wrong)
        (row,) = await database.fetch("SELECT pg_current_xact_id_if_assigned() IS NULL AS is_new")

    assert dict(row) == {"is_new": True}
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []


async def looked_at(gateway: Gateway, listen_url: str | None) -> dict[str, Finding]:
    """What the doctor finds of the database, by what it looked at."""
    found = await look_at_database(gateway.address, listen_url=listen_url, has_own_keys=True, workers=1)
    return {each.check: each for each in found}


async def test_without_a_url_to_listen_over_it_is_said(
    direct_url: str, pooled: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """By the log of a worker, and by `moorings doctor`, which says what else is lost and what to set."""
    async with pooled.models():
        streams = EventStreams(Reads())
        listener = asyncio.create_task(listen(pooled.database_url, streams, has_own_url=False))
        try:
            await until(lambda: UNHEARD in caplog.text)
        finally:
            listener.cancel()
    without, own = [await looked_at(pooled, url) for url in (None, direct_url)]

    assert without["pooler"].message.startswith("A pooler stands before PostgreSQL")
    assert without["notifications"].remedy == "Set MOORINGS_LISTEN_DATABASE_URL to a URL of PostgreSQL itself."
    assert without["time limits"].state is State.WARNING
    assert own["notifications"].state is State.OK
    assert own["migrations"].state is State.OK


async def test_limits_of_the_role_take_the_place_of_those_of_each_transaction(
    postgres: PostgresServer, direct_url: str
) -> None:
    """Its statements need no transaction around them, and a migration is not held to them."""
    name = direct_url.rpartition("/")[2].partition("?")[0]
    for limit, value in LIMITS.items():
        postgres.execute(name, f'ALTER ROLE postgres IN DATABASE "{name}" SET {limit} = {value}')
    try:
        with pgbouncer(direct_url) as pooler:
            serving, migrating = Sessions(LIMITS), Sessions(dict.fromkeys(LIMITS, "0"))
            for sessions in (serving, migrating):
                connection = await sessions(pooler.url(direct_url), server_settings=SERVER_SETTINGS)
                connection.terminate()
    finally:
        postgres.execute(name, f'ALTER ROLE postgres IN DATABASE "{name}" RESET ALL')

    assert serving.local_limits == ""
    assert "statement_timeout = 0" in migrating.local_limits
