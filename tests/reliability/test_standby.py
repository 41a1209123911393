"""PostgreSQL dies and a standby takes over: a synchronous one has every acknowledged write, one that lagged says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.support.databases.standby import Standby, standing_by
from tests.support.databases.stoppable_postgres import StoppablePostgres, own_postgres
from tests.support.databases.tcp_proxy import TcpProxy, proxied
from tests.support.figures import amount
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.writers import LIST, client_of, reads_of, writing
from tests.support.graphql.graphql_client import LISTENS, Listen, ask

LABELS = "SELECT label FROM backup_destinations"
EVENTS = "subscription ($after: ID) { backupDestinationEvents(after: $after) { id } }"
LATEST = "{ viewer { latestEventId } }"
STREAMING = "SELECT count(*) AS n FROM pg_stat_replication WHERE state = 'streaming'"
SYNCHRONOUS = "SELECT count(*) AS n FROM pg_stat_replication WHERE sync_state = 'sync'"
CAUGHT_UP = "SELECT bool_and(replay_lsn >= pg_current_wal_lsn()) AS n FROM pg_stat_replication"
DEADLINE_S = 60.0
WRITES_S = 0.5
HUNG_S = amount(1, 15)
"""For which the synchronous standby confirms nothing, so that no write is acknowledged."""
READ_WITHIN_S = 1.0
WRITE_WITHIN_S = 15.0


class Pair:
    """A primary and a standby, the proxy that the standby streams through, and a gateway behind another proxy."""

    def __init__(self, stack: ExitStack) -> None:
        self.primary: StoppablePostgres = stack.enter_context(own_postgres(fsync="off"))
        self.primary.create_database("pair")
        self.link: TcpProxy = stack.enter_context(proxied(self.primary.url("pair")))
        self.standby: Standby = stack.enter_context(standing_by(self.primary, through_port=self.link.port))
        self.front: TcpProxy = stack.enter_context(proxied(self.primary.url("pair")))
        self.gateway = Gateway(self.front.url(self.primary.url("pair"))).start()
        stack.callback(self.gateway.close)

    async def until(self, question: str) -> None:
        """Wait until the primary counts a standby in some state."""
        async with asyncio.timeout(DEADLINE_S):
            while not (await self.gateway.rows(question))[0]["n"]:  # noqa: ASYNC110 - with a deadline
                await asyncio.sleep(0.05)

    async def fail_over(self) -> float:
        """The primary dies, the standby takes over; returns after how many seconds the gateway serves again."""
        began = time.monotonic()
        await asyncio.to_thread(self.primary.kill)
        await asyncio.to_thread(self.standby.promote)
        await asyncio.to_thread(self.front.lead_to, self.standby.url("pair"))
        async with httpx.AsyncClient(base_url=self.gateway.url, timeout=DEADLINE_S) as client:
            async with asyncio.timeout(DEADLINE_S):
                while (await client.get("/readyz")).status_code != httpx.codes.OK:  # noqa: ASYNC110 - with a deadline
                    await asyncio.sleep(0.05)
        return time.monotonic() - began


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two servers and a gateway of this test alone."""
    with ExitStack() as stack:
        yield Pair(stack)


async def test_a_fail_over_to_a_synchronous_standby_loses_nothing(pair: Pair, figure: Callable[[str], None]) -> None:
    """Of eight writers, and of the events that a subscriber reads across it; nor do reads wait for one that hangs."""
    pair.primary.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")
    pair.primary.execute("postgres", "SELECT pg_reload_conf()")
    await pair.until(SYNCHRONOUS)
    account = await pair.gateway.new_user()

    async with writing(account) as written:
        await asyncio.sleep(WRITES_S)
        with pair.standby.frozen():
            reads = await reads_of(account, HUNG_S)
        await asyncio.sleep(WRITES_S)
        away_s = await pair.fail_over()
        await asyncio.sleep(WRITES_S)

    written.expect_once_each(await pair.gateway.rows(LABELS))
    assert max(reads) < READ_WITHIN_S
    assert written.longest_s < WRITE_WITHIN_S
    figure(
        f"while the standby hung for {HUNG_S} s the slowest of {len(reads)} reads took {max(reads):.2f} s, and the "
        f"longest write {written.longest_s:.1f} s; {len(written.ids)} acknowledged writes and "
        f"{len(written.events)} events around that and the fail-over, none lost, none doubled; served again after "
        f"{away_s:.1f} s"
    )


async def test_after_a_fail_over_to_a_standby_that_lagged_nothing_that_is_gone_is_shown(pair: Pair) -> None:
    """Positions of the history that was lost are an error, and no tag of it matches, also after the next writes."""
    await pair.until(STREAMING)
    account = await pair.gateway.new_user()
    await account.create("local", label="kept")
    await _replicated(pair)
    pair.link.hold()
    await account.create("local", label="gone")
    position = (await ask(account, LATEST))["data"]["viewer"]["latestEventId"]
    async with client_of(account) as client:
        tag = (await client.get(LIST)).headers["ETag"]

    await pair.fail_over()

    for _ in range(2):
        async with client_of(account) as client:
            shown = await client.get(LIST, headers={"If-None-Match": tag})
        assert shown.status_code == httpx.codes.OK
        assert "gone" not in shown.text
        for listen in LISTENS.values():
            assert await _refusal(account, listen, position) == "UNKNOWN_EVENT"
        await account.create("local", label="since")


async def _replicated(pair: Pair) -> None:
    """Wait until the standby has what the primary has."""
    async with asyncio.timeout(DEADLINE_S):
        while (await pair.gateway.rows(CAUGHT_UP))[0]["n"] is not True:  # noqa: ASYNC110 - with a deadline
            await asyncio.sleep(0.05)


async def _refusal(account: Account, listen: Listen, after: str) -> str:
    """The reason for which a stream from that position is refused."""
    async with listen(account, EVENTS, {"after": after}) as listener:
        answer = await listener.answer(DEADLINE_S)
    reason: str = answer["errors"][0]["extensions"]["reason"]
    return reason
