"""Stops and restarts that no client notices: nothing is refused or reset, and streams go on where they were."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.figures import amount
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.kept_connections import Load
from tests.support.gateway.processes import children, is_alive, renewed, until
from tests.support.proxies.nginx import Nginx

ROUNDS = amount(1, 10)
CLIENTS = 8
STOPS_WITHIN_S, RENEWS_WITHIN_S = 3.0, 12.0
"""The promises are 1 s and 4 s on a machine with nothing else to do; these are for one that runs the whole suite."""
SUBSCRIPTION = "subscription { backupDestinationEvents { id } }"
Figure = Callable[[str], None]


@asynccontextmanager
async def serving(workers: int = 1, **settings: str) -> AsyncIterator[Account]:
    """A user of a gateway of this test's own."""
    gateway = Gateway(workers=workers, **settings)
    await asyncio.to_thread(gateway.start)
    try:
        await until(lambda: len(children(gateway.pid)) == workers)
        yield await gateway.new_user()
    finally:
        await asyncio.to_thread(gateway.close)


@asynccontextmanager
async def streaming(account: Account) -> AsyncIterator[list[bytes]]:
    """A stream of server-sent events that has begun, as the pieces that came of it; it ends in the block."""
    pieces: list[bytes] = []
    headers = {"accept": "text/event-stream"}
    async with (
        account.client() as client,
        client.stream("POST", "/graphql", json={"query": SUBSCRIPTION}, headers=headers) as response,
    ):
        assert response.status_code == httpx.codes.OK

        async def read() -> None:
            pieces.extend([piece async for piece in response.aiter_raw()])

        reading = asyncio.create_task(read())
        yield pieces
        async with asyncio.timeout(30):
            await reading


@asynccontextmanager
async def subscribed(account: Account) -> AsyncIterator[asyncio.Task[int | None]]:
    """A WebSocket with a subscription, as a task that ends with its close code."""
    url = account.gateway.url.replace("http", "ws", 1) + "/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]  # a str is one
        await socket.send(json.dumps({"type": "connection_init", "payload": {"token": account.token}}))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": SUBSCRIPTION}}))

        async def close_code() -> int | None:
            await socket.wait_closed()
            return socket.close_code  # 1006 without a close frame

        yield asyncio.create_task(close_code())


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
async def test_streams_end_at_once_and_in_the_form_in_which_they_are_resumed(
    sent: signal.Signals, figure: Figure
) -> None:
    """Server-sent events end without `complete`, a WebSocket with 1012; neither holds a stop or a restart."""
    async with serving() as account, AsyncExitStack() as stack:
        gateway, before = account.gateway, children(account.gateway.pid)
        streams = [await stack.enter_async_context(streaming(account)) for _ in range(3)]
        sockets = [await stack.enter_async_context(subscribed(account)) for _ in range(3)]
        began = time.monotonic()
        os.kill(gateway.pid, sent)
        if sent is signal.SIGHUP:
            await renewed(gateway.pid, before)
        else:
            await until(lambda: not any(map(is_alive, before)))
        wall_s = time.monotonic() - began
        figure(f"{sent.name} with 6 streams: {wall_s:.2f} s")

        assert wall_s < (RENEWS_WITHIN_S if sent is signal.SIGHUP else STOPS_WITHIN_S)
        assert await asyncio.gather(*sockets) == [1012, 1012, 1012]
        await stack.aclose()  # the streams have ended, each with its last chunk
        assert not any(b"complete" in piece for pieces in streams for piece in pieces)
        assert "Traceback" not in gateway.log_text()
        assert "ASGI" not in gateway.log_text()


@pytest.mark.parametrize("workers", [1, 4])
async def test_rolling_restarts_under_load_lose_no_request(workers: int, figure: Figure) -> None:
    """Neither of clients that are connected directly, nor of those behind nginx."""
    async with serving(workers) as account, AsyncExitStack() as stack:
        gateway = account.gateway
        nginx = await asyncio.to_thread(Nginx(gateway.port).start)
        stack.callback(nginx.close)
        directly = Load(gateway.host, gateway.port, account.token)
        behind_nginx = Load(gateway.host, nginx.port, account.token)
        took_s = []
        async with directly.running(CLIENTS // 2), behind_nginx.running(CLIENTS // 2):
            for _ in range(ROUNDS):
                before = children(gateway.pid)
                os.kill(gateway.pid, signal.SIGHUP)
                took_s.append(await renewed(gateway.pid, before))
        figure(f"{workers} workers, {ROUNDS} restarts of at most {max(took_s):.1f} s: {directly}")
        figure(f"the same behind nginx: {behind_nginx}")

        for load in (directly, behind_nginx):
            assert load.answered > CLIENTS
            assert not load.has_failed, str(load)


async def test_a_rolling_upgrade_of_two_gateways_behind_nginx_loses_no_request(figure: Figure) -> None:
    """Each in turn is stopped, as for another version, and started again."""
    async with serving() as account, AsyncExitStack() as stack:
        one = account.gateway
        two = Gateway(one.database_url, secret_keys=one.settings["secret_keys"])
        await asyncio.to_thread(two.start)
        stack.callback(two.close)
        nginx = await asyncio.to_thread(Nginx(one.port, two.port).start)
        stack.callback(nginx.close)
        load = Load("127.0.0.1", nginx.port, account.token)
        async with load.running(CLIENTS):
            for _ in range(ROUNDS):
                for gateway in (one, two):
                    began = load.answered
                    assert await asyncio.to_thread(gateway.stop) == 0
                    await until(lambda began=began: load.answered > began + CLIENTS)  # type: ignore[misc]
                    await asyncio.to_thread(gateway.start)
        figure(f"two gateways behind nginx, {2 * ROUNDS} restarts: {load}")

        assert not load.has_failed, str(load)


async def test_readiness_ends_before_the_service_does() -> None:
    """While a load balancer looks for others, everything else is answered as before, new connections too."""
    async with serving(drain_delay_seconds="2") as account:
        gateway = account.gateway
        worker = children(gateway.pid)
        async with account.client() as client:
            os.kill(gateway.pid, signal.SIGTERM)
            began = time.monotonic()
            while (ready := await client.get("/readyz")).status_code == httpx.codes.OK:
                assert time.monotonic() - began < 2, "it stays ready"
        assert ready.json() == {"error": "Service Unavailable", "message": "The gateway is about to stop."}
        async with account.client() as client:
            assert (await client.get("/api/backup-destinations")).status_code == httpx.codes.OK
        await until(lambda: not any(map(is_alive, worker)))
        assert time.monotonic() - began >= 1.9
