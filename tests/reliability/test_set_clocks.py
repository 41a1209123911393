"""A gateway whose clock is set an hour forward and a day back while it serves, and between two starts.

Timestamps follow the clock; durations do not. Nobody waits a day for what was to last a minute.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.accounts import accounts
from models.accounts.user import User
from tests.support.clocks.moved_clock import RIGHT, MovedClock
from tests.support.databases.databases import database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.figures import FULL
from tests.support.gateway.gateway import NO_TLS, Account, Gateway
from tests.support.graphql.graphql_client import Listener, data_of, over_socket, over_sse
from tests.support.graphql.graphql_documents import destination_id
from tests.support.stores.certificates import Authority
from tests.support.stores.peers import MemoryStore, ReceivedRequest, error, listening

LIST = "/api/backup-destinations"
SETTINGS = 60
"""Of a clock while a writer waits."""
FORWARD, BACK = timedelta(hours=1), timedelta(days=-1)
SET_UPS = [(engine, workers) for engine in ("sqlite", "postgresql") for workers in (1, 2)]
SHORT = [("sqlite", 1), ("postgresql", 2)]
REQUESTS_PER_HOUR = 60
CHECK_EVERY_S = 60
SOON_S = 60.0
"""Within which what waits for a time comes; what would wait for the clock would take an hour or a day."""
CHANGES = """subscription { backupDestinationEvents { id
  ... on BackupDestinationUpdated { backupDestination { label } } } }"""
START_JOB = "mutation { checkBackupDestinations { __typename } }"
CHECK = """mutation ($id: ID!) { checkBackupDestination(id: $id) {
  ... on CheckBackupDestinationPayload { report { reachable steps { name outcome code remedy } } } } }"""


@pytest.fixture(params=SET_UPS if FULL else SHORT, ids=lambda set_up: f"{set_up[0]}-{set_up[1]}")
def clock_and_gateway(
    request: pytest.FixtureRequest, postgres: PostgresServer, tmp_path: Path
) -> Iterator[tuple[MovedClock, Gateway, Authority]]:
    """A gateway of one or two workers on each engine, with a clock of its own; PostgreSQL has the machine's."""
    engine, workers = request.param
    clock, authority = MovedClock(tmp_path), Authority(tmp_path)
    (tmp_path / "authority.pem").write_text(authority.pem)
    gateway = Gateway(
        database_url(engine, postgres),
        workers=workers,
        rate_limit=f"{REQUESTS_PER_HOUR}/hour",
        check_interval=f"{CHECK_EVERY_S}s",
        s3_allow="127.0.0.1",
        s3_ca_file=str(tmp_path / "authority.pem"),
        audit_retention="1d",
    )
    gateway.variables = clock.variables
    gateway.start()
    yield clock, gateway, authority
    gateway.close()


async def column(gateway: Gateway, name: str, table: str, where: str) -> list[Any]:
    """The values of a column; timestamps are aware, whichever engine stores them."""
    rows = await gateway.rows(f"SELECT {name} AS value FROM {table} WHERE {where}")  # noqa: S608 - of this test
    return [row["value"] for row in rows]


def timestamp(value: object) -> datetime:
    """A timestamp of a database or of JSON."""
    return datetime.fromisoformat(str(value).replace("Z", "+00:00"))


async def soon(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition that others bring about."""
    began = time.monotonic()
    while not await holds():
        assert time.monotonic() - began < SOON_S, "it waits for the clock"
        await asyncio.sleep(0.1)


async def answers(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
    """The response to a request, which comes in time whatever the clock says."""
    began = time.monotonic()
    response = await client.request(method, path, **more)
    assert time.monotonic() - began < SOON_S
    return response


def on_one_connection(account: Account) -> httpx.AsyncClient:
    """A client that one worker answers: each worker counts requests by itself."""
    headers = {"Authorization": f"Bearer {account.token}"}
    limits = httpx.Limits(max_connections=1, keepalive_expiry=None)
    return httpx.AsyncClient(base_url=account.gateway.url, headers=headers, limits=limits, timeout=60, verify=NO_TLS)


async def exhausted(client: httpx.AsyncClient) -> int:
    """Ask as often as is allowed on one connection, and once more; returns after how many seconds more are allowed."""
    for _ in range(REQUESTS_PER_HOUR + 1):
        response = await client.get(LIST)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return int(response.headers["Retry-After"])
    raise AssertionError("nothing was refused")


async def expect_changes(client: httpx.AsyncClient, id_: int, label: str, listeners: list[Listener]) -> None:
    """A change comes on every open stream, and is stored as not older than its destination."""
    changed = await answers(client, "PUT", f"{LIST}/{id_}", json={"label": label})
    row = changed.json()["data"]
    assert row["created_at"] <= row["updated_at"]
    for listener in listeners:
        shown = None
        while shown != label:
            (event,) = await listener.events(1, SOON_S)
            shown = (event.get("backupDestination") or {}).get("label")


async def expect_a_heartbeat(client: httpx.AsyncClient) -> None:
    """A comment comes on a silent stream, after seconds and not after a day."""
    body, headers = {"query": CHANGES}, {"Accept": "text/event-stream"}
    async with asyncio.timeout(SOON_S), client.stream("POST", "/graphql", json=body, headers=headers) as stream:
        async for line in stream.aiter_lines():
            if line.startswith(":"):
                return
    raise AssertionError("the stream has ended")


async def repeated(client: httpx.AsyncClient, key: str) -> tuple[int, bool]:
    """The id that a request under a key made, and whether an earlier one did."""
    body = {"label": "made once", "type": "local"}
    response = await answers(client, "POST", LIST, json=body, headers={"Idempotency-Key": key})
    assert response.status_code == httpx.codes.CREATED, response.text
    return response.json()["data"]["id"], response.headers.get("Idempotent-Replayed") == "true"


async def checked(account: Account, id_: int) -> bool:
    """Whether a check that is asked for finds the store reachable; the certificate is of two days ago to tomorrow."""
    result = (await data_of(account, CHECK, {"id": destination_id(id_)}))["checkBackupDestination"]
    return bool(result["report"]["reachable"])


async def refusal(account: Account, id_: int) -> tuple[str, str]:
    """The step at which a check that is asked for fails, with its code, and what to do about it."""
    result = (await data_of(account, CHECK, {"id": destination_id(id_)}))["checkBackupDestination"]
    (failed,) = (step for step in result["report"]["steps"] if step["outcome"] == "FAILED")
    return f"{failed['name']} {failed['code']}", failed["remedy"]


async def of_its_own_clock(request: ReceivedRequest) -> bytes | None:
    """What a store says of a request that was signed by a clock that is more than 15 minutes away from its own."""
    signed = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(datetime.now(UTC) - signed) < timedelta(minutes=15):
        return None
    return error("403 Forbidden", "RequestTimeTooSkewed")


@pytest.fixture
async def account(clock_and_gateway: tuple[MovedClock, Gateway, Authority]) -> Account:
    """A user of that gateway."""
    return await clock_and_gateway[1].new_user()


async def test_a_clock_that_is_set_locks_nobody_out_and_holds_nothing(
    clock_and_gateway: tuple[MovedClock, Gateway, Authority], account: Account
) -> None:
    """One story, because each start of a gateway takes seconds: right, an hour forward, a day back, two more starts."""
    clock, gateway, authority = clock_and_gateway
    busy = await gateway.new_user()
    async with gateway.models():
        user = await User.get(id=account.user_id)
        ends_in_half_an_hour = await accounts.issue_token(user, name="short", expires_in=timedelta(minutes=30))
    short = {"Authorization": f"Bearer {ends_in_half_an_hour}"}
    async with AsyncExitStack() as stack:
        store = MemoryStore()
        peer = await stack.enter_async_context(listening(store.script, tls=authority.serving("127.0.0.1")))
        client = await stack.enter_async_context(account.client())
        busy_client = await stack.enter_async_context(on_one_connection(busy))
        url = f"https://127.0.0.1:{peer.port}"
        stored = await account.create("custom_s3", custom_s3_endpoint=url)
        held = await account.create("custom_s3", custom_s3_endpoint=url)
        ours = await account.create("local", label="ours")
        listeners = [
            await stack.enter_async_context(over_sse(account, CHANGES)),
            await stack.enter_async_context(over_socket(account, CHANGES)),
        ]

        began = datetime.now(UTC)
        assert (await answers(client, "GET", LIST, headers=short)).status_code == httpx.codes.OK
        made, was_replayed = await repeated(client, "clock")
        assert not was_replayed
        wait_s = await exhausted(busy_client)
        await expect_changes(client, ours, "changed at the right time", listeners)
        assert await checked(account, stored)

        clock.set(FORWARD)
        assert (await answers(client, "GET", LIST)).status_code == httpx.codes.OK
        assert (await answers(client, "GET", LIST, headers=short)).status_code == httpx.codes.UNAUTHORIZED
        assert await repeated(client, "clock") == (made, True)
        refused = await answers(busy_client, "GET", LIST)
        assert refused.status_code == httpx.codes.TOO_MANY_REQUESTS, "a window is as long as it was"
        assert int(refused.headers["Retry-After"]) <= wait_s
        assert abs(int(refused.headers["X-RateLimit-Reset"]) - time.time() - FORWARD.total_seconds() - wait_s) < SOON_S
        await expect_changes(client, ours, "changed an hour ahead", listeners)
        late = (await answers(client, "POST", LIST, json={"label": "of the future", "type": "local"})).json()["data"]
        assert timestamp(late["created_at"]) > began + FORWARD / 2

        async def is_checked_ahead() -> bool:
            last = await column(gateway, "checked_at", "backup_destinations", f"id = {stored}")
            return timestamp(last[0]) > began + FORWARD / 2

        await soon(is_checked_ahead)
        ahead = f"{began + FORWARD + timedelta(seconds=25):%Y-%m-%d %H:%M:%S+00:00}"
        await gateway.rows(
            f"UPDATE backup_destinations SET claim = 'of a dead process', claimed_until = '{ahead}', "  # noqa: S608
            f"reachability = 'checking' WHERE id = {held}"
        )
        await gateway.rows(
            "INSERT INTO check_jobs (user_id, state, total, started_at, alive_until) "  # noqa: S608
            f"VALUES ({account.user_id}, 'running', 1, '{ahead}', '{ahead}')"
        )

        clock.set(BACK)
        assert (await answers(client, "GET", LIST)).status_code == httpx.codes.OK
        assert (await answers(client, "GET", "/readyz")).status_code == httpx.codes.OK
        assert (await answers(client, "GET", LIST, headers=short)).status_code == httpx.codes.OK, "not expired yet"
        assert await repeated(client, "clock") == (made, True)
        refused = await answers(busy_client, "GET", LIST)
        assert refused.status_code == httpx.codes.TOO_MANY_REQUESTS
        assert int(refused.headers["Retry-After"]) <= wait_s, "nobody is locked out for a day"
        await expect_changes(client, ours, "changed a day before", listeners)
        if FULL:
            await expect_a_heartbeat(client)
        row = (
            await answers(client, "PUT", f"{LIST}/{late['id']}", json={"label": "changed before it was made"})
        ).json()
        assert row["data"]["created_at"] == late["created_at"] <= row["data"]["updated_at"]

        async def is_released() -> bool:
            return await column(gateway, "claim", "backup_destinations", f"id = {held}") == [None]

        async def is_checked_now() -> bool:
            last = await column(gateway, "checked_at", "backup_destinations", f"id = {stored}")
            return timestamp(last[0]) <= began

        await soon(is_released)
        await soon(is_checked_now)
        started = (await data_of(account, START_JOB))["checkBackupDestinations"]["__typename"]
        assert started == "CheckBackupDestinationsPayload", "the job of a dead process keeps no other from starting"
        assert await checked(account, stored)

    await _starts_with_another_clock(clock, gateway, account, made)
    assert "Traceback" not in gateway.log_text()


BEGIN = """
import sqlite3, sys
from models.database.sqlite_writer import _begin_immediate
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
print("waits", flush=True)
_begin_immediate(connection, 20.0)
print("begun", flush=True)
"""


def test_a_writer_that_waits_for_a_lock_while_the_clock_is_set_gets_it(tmp_path: Path) -> None:
    """It neither fails nor sleeps for an hour."""
    path, clock = tmp_path / "locked.db", MovedClock(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with subprocess.Popen(
            [sys.executable, "-c", BEGIN, str(path)],
            env={**os.environ, **clock.variables},
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "waits\n"
            for turn in range(SETTINGS):
                clock.set((FORWARD, BACK, RIGHT)[turn % 3])
                time.sleep(0.01)
            holder.execute("ROLLBACK")
            assert writer.stdout.readline() == "begun\n"


@pytest.mark.parametrize(
    ("ahead", "days", "began_days"), [(FORWARD, 0.02, 2.0), (BACK, 2.0, 0.5)], ids=["an hour ahead", "a day behind"]
)
async def test_a_check_by_a_clock_that_is_wrong_names_it(
    ahead: timedelta, days: float, began_days: float, tmp_path: Path
) -> None:
    """The store's clock is right: its certificate is valid for half an hour more, or since half a day."""
    clock, authority = MovedClock(tmp_path), Authority(tmp_path)
    (tmp_path / "authority.pem").write_text(authority.pem)
    gateway = Gateway(s3_allow="127.0.0.1", s3_ca_file=str(tmp_path / "authority.pem"))
    gateway.variables = clock.variables
    gateway.start()
    try:
        async with AsyncExitStack() as stack:
            account, ids = await gateway.new_user(), []
            for store, certificate in (
                (MemoryStore(), authority.serving("127.0.0.1", days=days, began_days=began_days)),
                (MemoryStore(override=of_its_own_clock), authority.serving("127.0.0.1")),
            ):
                peer = await stack.enter_async_context(listening(store.script, tls=certificate))
                ids.append(await account.create("custom_s3", custom_s3_endpoint=f"https://127.0.0.1:{peer.port}"))
            right = [await checked(account, id_) for id_ in ids]
            clock.set(ahead)
            failures = [await refusal(account, id_) for id_ in ids]
    finally:
        gateway.close()

    assert right == [True, True]
    assert [code for code, _ in failures] == ["TLS CERTIFICATE_EXPIRED", "AUTHENTICATE CLOCK_SKEW"]
    assert ["clock" in remedy for _, remedy in failures] == [True, True]


async def _starts_with_another_clock(clock: MovedClock, gateway: Gateway, account: Account, made: int) -> None:
    """A start an hour ahead prunes what both clocks say is old; one with the right clock serves as before."""
    now = datetime.now(UTC)
    for age in (timedelta(days=2), timedelta(hours=23, minutes=30)):
        await gateway.rows(
            "INSERT INTO audit (occurred_at, kind, actor, subject, detail) "  # noqa: S608 - of this test
            f"VALUES ('{now - age:%Y-%m-%d %H:%M:%S+00:00}', 'command_run', 'operator', 'of {age.days} days', '{{}}')"
        )
    gateway.stop()
    clock.set(FORWARD)
    gateway.start()

    async def is_pruned() -> bool:
        return not await column(gateway, "id", "audit", "subject = 'of 2 days'")

    await soon(is_pruned)
    of_one_day = await column(gateway, "id", "audit", "subject = 'of 0 days'")
    assert len(of_one_day) == (0 if gateway.engine == "sqlite" else 1), "PostgreSQL's own clock counts too"
    async with account.client() as client:
        assert await repeated(client, "clock") == (made, True)
    clock.set(RIGHT)
    async with account.client() as client:
        assert (await answers(client, "GET", f"{LIST}/{made}")).status_code == httpx.codes.OK
