"""Several workers: connections are dealt out among them, and as many as are wanted take part."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
import uvicorn
import uvloop
from uvicorn.lifespan.off import LifespanOff

from tests.app.test_serving import children, until
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.keep_alive import KeepAlive
from tests.web.metrics.test_metrics import until_so_many_serve
from web.server.sockets import UNSENT_BYTES, AddressTaken, bind
from web.server.worker import Worker

HANGS_S = 3
CONNECTIONS = 64
FEWEST = 10
"""Of the connections, dealt out by chance: fewer happen once in ten billion times."""


@asynccontextmanager
async def serving(workers: int, **settings: str) -> AsyncIterator[Gateway]:
    """A gateway with so many workers, all of which serve."""
    gateway = Gateway(workers=workers, **settings)
    await asyncio.to_thread(gateway.start)
    try:
        await until_so_many_serve(gateway, workers)
        yield gateway
    finally:
        await asyncio.to_thread(gateway.close)


def sockets_of(pid: int) -> int:
    """How many sockets a process has open."""
    return sum(str(link.readlink()).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir())


async def asked(gateway: Gateway, connections: int) -> list[KeepAlive]:
    """Connections that have had an answer, and are open."""
    wires = [KeepAlive(gateway) for _ in range(connections)]
    answers = await asyncio.gather(*(wire.ask("GET", "/healthz", "none") for wire in wires))
    assert {answer.status for answer in answers} == {200}
    return wires


async def test_connections_are_dealt_out() -> None:
    """On one socket one worker may have them all."""
    async with serving(2) as gateway, AsyncExitStack() as stack:
        before = {pid: sockets_of(pid) for pid in children(gateway.pid)}  # give or take who has just left
        for wire in await asked(gateway, CONNECTIONS):
            stack.callback(wire.close)
        taken = [count for pid in before if (count := sockets_of(pid) - before[pid]) > 1]

    assert len(taken) == 2
    assert min(taken) >= FEWEST


async def test_there_can_be_more_of_them_and_fewer() -> None:
    """Everybody is answered before, between and afterwards."""
    async with serving(2) as gateway:
        before = len(children(gateway.pid))
        for number, workers in ((signal.SIGTTIN, 3), (signal.SIGTTOU, 2), (signal.SIGTTOU, 1), (signal.SIGTTIN, 2)):
            os.kill(gateway.pid, number)
            await until(lambda wanted=before + workers - 2: len(children(gateway.pid)) == wanted)  # type: ignore[misc]
            await until_so_many_serve(gateway, workers)
            for wire in await asked(gateway, CONNECTIONS):
                wire.close()


async def test_a_worker_that_is_slow_to_start_is_waited_for() -> None:
    """As on a machine with much else to do: a replacement stands still for longer than one that serves may."""
    async with serving(2, worker_timeout_seconds=str(HANGS_S)) as gateway:
        first = set(children(gateway.pid))
        os.kill(gateway.pid, signal.SIGHUP)
        await until(lambda: bool(set(children(gateway.pid)) - first))
        slow = min(set(children(gateway.pid)) - first)
        os.kill(slow, signal.SIGSTOP)
        await asyncio.sleep(HANGS_S + 1)
        os.kill(slow, signal.SIGCONT)
        await until(lambda: len(set(children(gateway.pid)) - first) == 2 and len(children(gateway.pid)) == len(first))

        assert slow in children(gateway.pid)
        await until_so_many_serve(gateway, 2)


async def test_a_worker_that_was_killed_is_replaced_and_nobody_is_turned_away() -> None:
    """Whoever connects meanwhile waits in its socket."""
    async with serving(2) as gateway:
        idle = children(gateway.pid)
        for wire in await asked(gateway, CONNECTIONS):
            wire.close()
        os.kill(idle[-1], signal.SIGKILL)
        for wire in await asked(gateway, CONNECTIONS):
            wire.close()


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("second", [1, 2])
def test_an_address_that_is_taken_is_told_however_many_would_share_it(first: int, second: int) -> None:
    with ExitStack() as stack:
        listeners = [stack.enter_context(closing(listener)) for listener in bind("127.0.0.1", 0, workers=first)]
        with pytest.raises(AddressTaken):
            bind("127.0.0.1", listeners[0].getsockname()[1], workers=second)


def test_several_sockets_have_one_address() -> None:
    with ExitStack() as stack:
        listeners = [stack.enter_context(closing(listener)) for listener in bind("127.0.0.1", 0, workers=3)]
        assert len(listeners) == 3
        assert len({listener.getsockname() for listener in listeners}) == 1


def test_the_system_takes_little_for_a_client_that_reads_nothing() -> None:
    """Else a thousand such clients use up the memory that the machine has for all connections."""
    with ExitStack() as stack:
        (listener,) = bind("127.0.0.1", 0)
        stack.callback(listener.close)
        client = stack.enter_context(closing(socket.socket()))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.connect(listener.getsockname())
        served, _ = listener.accept()
        stack.callback(served.close)
        served.setblocking(False)

        taken = 0
        with suppress(BlockingIOError):
            while taken < 16 * UNSENT_BYTES:
                taken += served.send(b" " * UNSENT_BYTES)

        assert 0 < taken < 8 * UNSENT_BYTES


def test_what_waits_is_accepted_in_a_few_turns_of_the_event_loop() -> None:
    """uvloop accepts one connection in each turn, and turns are long where many clients come back at once."""
    assert uvloop.run(turns_until_accepted(300)) <= 30


async def turns_until_accepted(connections: int) -> int:
    """How many turns of the event loop a worker needs for connections that wait in its socket."""
    accepted, turns = list[asyncio.BaseTransport](), 0

    class Noting(asyncio.Protocol):
        def __init__(self, **_of_uvicorn: object) -> None:
            pass

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)

    config = uvicorn.Config("", http=Noting)
    config.ssl, config.http_protocol_class = None, Noting
    link, other_end = socket.socketpair()
    listener = socket.create_server(("127.0.0.1", 0), backlog=connections)
    with listener, link, other_end, ExitStack() as stack:
        worker = Worker(config, link)
        worker.lifespan = LifespanOff(config)
        for _ in range(connections):
            stack.enter_context(closing(socket.create_connection(listener.getsockname())))
        await worker._accept_from(0, listener)
        while len(accepted) < connections:
            turns += 1
            await asyncio.sleep(0)
        await worker._release(0)
        for transport in accepted:
            transport.close()
        await asyncio.sleep(0)
    return turns
