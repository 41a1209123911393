"""A network between gateway and PostgreSQL that delays, cuts, resets and swallows, under writers and a subscriber."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest

from tests.support.databases.postgres import PostgresServer
from tests.support.databases.tcp_proxy import TcpProxy
from tests.support.figures import amount
from tests.support.gateway.behind_proxy import BehindProxy, behind_proxy
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.writers import writing

ROUNDS = amount(1, 4)
HOLE_S = amount(1, 8)
"""How long nothing passes."""
DELAY_S = 0.05
ANSWERED_WITHIN_S = 15.0
BACK_WITHIN_S = 20.0
LABELS = "SELECT label FROM backup_destinations"


@pytest.fixture
def behind(postgres: PostgresServer) -> Iterator[BehindProxy]:
    """A gateway whose connections to PostgreSQL go through a proxy."""
    with behind_proxy(postgres) as behind:
        yield behind


async def delay(proxy: TcpProxy) -> None:
    """Every piece takes its time."""
    proxy.delay_s = DELAY_S
    await asyncio.sleep(0.5)
    proxy.delay_s = 0


async def cut(proxy: TcpProxy) -> None:
    """Every connection ends."""
    await asyncio.to_thread(proxy.cut)


async def reset(proxy: TcpProxy) -> None:
    """Every connection is reset."""
    await asyncio.to_thread(proxy.cut, reset=True)


async def swallow(proxy: TcpProxy) -> None:
    """Nothing comes through, and no connection ends."""
    proxy.hold()
    await asyncio.sleep(HOLE_S)
    proxy.release()


FAULTS: tuple[Callable[[TcpProxy], Awaitable[None]], ...] = (delay, cut, reset, swallow)


async def test_whatever_the_network_does_nothing_is_lost_or_doubled_and_every_request_ends(
    behind: BehindProxy, figure: Callable[[str], None]
) -> None:
    """No answer but success, "in use" and 503, each in time; the gateway is back when the network is."""
    gateway, proxy, _ = behind
    account = await gateway.new_user()
    async with writing(account) as written:
        for _ in range(ROUNDS):
            for fault in FAULTS:
                await asyncio.sleep(0.3)
                await fault(proxy)
                await _serves(gateway)
    written.expect_once_each(await gateway.rows(LABELS))
    assert written.lost_connections == 0, "the gateway ended connections of its clients"
    assert written.longest_s < ANSWERED_WITHIN_S
    figure(
        f"{ROUNDS} times delayed, cut, reset and a hole of {HOLE_S} s: {len(written.ids)} acknowledged writes, "
        f"none lost, none doubled, {written.statuses[503]} times 503, longest answer {written.longest_s:.1f} s"
    )


async def _serves(gateway: Gateway) -> None:
    """Wait until the gateway has its database again."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=ANSWERED_WITHIN_S) as client:
        async with asyncio.timeout(BACK_WITHIN_S):
            while (await client.get("/readyz")).status_code != httpx.codes.OK:  # noqa: ASYNC110 - with a deadline
                await asyncio.sleep(0.05)
