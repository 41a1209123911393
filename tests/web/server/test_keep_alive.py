"""One timer for each connection: it hangs up on who was idle for the whole time, and on nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.gateway.gateway import Gateway
from tests.support.gateway.served import Served, serving
from tests.web.fast_path.test_fast_path import wire
from web.server.protocol import HardenedProtocol

ASKED = wire("GET", "/healthz", "")


@pytest.fixture
async def served(gateway: Gateway) -> AsyncIterator[Served]:
    async with serving(gateway) as served:
        yield served


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[HardenedProtocol]:
    """The server's sides of connections as they are made."""
    made: list[HardenedProtocol] = []
    begin = HardenedProtocol.connection_made

    def note(protocol: HardenedProtocol, transport: asyncio.Transport) -> None:
        made.append(protocol)
        begin(protocol, transport)

    monkeypatch.setattr(HardenedProtocol, "connection_made", note)
    return made


async def test_who_asks_no_more_is_hung_up_on(served: Served, connections: list[HardenedProtocol]) -> None:
    async with served.connection() as talk:
        await talk.ask(ASKED)
        connections[0].timeout_keep_alive = 0
        await talk.ask(ASKED)
        connections[0].timeout_keep_alive_handler()

        assert await talk.ends()


async def test_who_has_asked_since_the_timer_was_set_is_kept(
    served: Served, connections: list[HardenedProtocol]
) -> None:
    """The timer is set once more, for what is left of the time."""
    async with served.connection() as talk:
        await talk.ask(ASKED)
        (protocol,) = connections
        first = protocol.timeout_keep_alive_task
        await talk.ask(ASKED)
        assert protocol.timeout_keep_alive_task is first

        protocol.timeout_keep_alive_handler()
        assert protocol.timeout_keep_alive_task is not first
        assert (await talk.ask(ASKED)).body == b'{"status":"ok"}'

        assert protocol._idle_since is not None
        protocol._idle_since -= protocol.timeout_keep_alive
        protocol.timeout_keep_alive_handler()
        assert await talk.ends()


async def test_who_waits_for_an_answer_is_not_idle(served: Served, connections: list[HardenedProtocol]) -> None:
    async with served.connection() as talk:
        await talk.ask(ASKED)
        (protocol,) = connections
        talk.writer.write(ASKED[:20])
        await talk.writer.drain()
        while protocol._idle_since is not None:  # noqa: ASYNC110 - nobody tells when the bytes are there
            await asyncio.sleep(0)

        protocol.timeout_keep_alive_handler()
        assert protocol.timeout_keep_alive_task is None
        assert (await talk.ask(ASKED[20:])).body == b'{"status":"ok"}'
        assert protocol.timeout_keep_alive_task is not None


async def test_a_connection_that_ends_leaves_no_timer(served: Served, connections: list[HardenedProtocol]) -> None:
    async with served.connection() as talk:
        await talk.ask(ASKED)
        (protocol,) = connections
        timer = protocol.timeout_keep_alive_task
        assert timer is not None

    while not timer.cancelled():  # noqa: ASYNC110 - nobody tells when the server has heard of the end
        await asyncio.sleep(0)


async def test_an_empty_line_is_no_request(served: Served, connections: list[HardenedProtocol]) -> None:
    """Whoever sends one is as idle as before."""
    async with served.connection() as talk:
        await talk.ask(ASKED)
        (protocol,) = connections
        protocol.data_received(b"\r\n")

        assert protocol._idle_since is not None
        protocol._idle_since -= protocol.timeout_keep_alive
        protocol.timeout_keep_alive_handler()
        assert await talk.ends()


async def test_who_was_answered_before_the_body_was_whole_is_idle_when_it_is(
    served: Served, connections: list[HardenedProtocol]
) -> None:
    """As after a refusal that did not wait for it."""
    async with served.connection() as talk:
        chunked = wire("POST", "/graphql", "junk", "Content-Type: application/json", "Transfer-Encoding: chunked")
        assert b"401" in (await talk.ask(chunked + b"1\r\n{\r\n")).status
        (protocol,) = connections
        talk.writer.write(b"1\r\n}\r\n0\r\n\r\n")
        async with asyncio.timeout(10):
            while protocol._body_open:  # noqa: ASYNC110 - nobody tells when the bytes are there
                await asyncio.sleep(0)

        assert protocol._idle_since is not None
        assert protocol.timeout_keep_alive_task is not None


async def test_in_a_stop_a_kept_connection_is_answered_once_more_and_told_that_it_ends(
    served: Served, connections: list[HardenedProtocol]
) -> None:
    """A request may be on its way when the stop begins."""
    async with served.connection() as talk:
        await talk.ask(ASKED)
        connections[0].drain(closes_idle=False)

        assert b"connection: close" in (await talk.ask(ASKED)).headers
        assert await talk.ends()


async def test_in_a_stop_only_connections_without_a_request_are_closed(
    served: Served, connections: list[HardenedProtocol]
) -> None:
    """One that has nothing is; one whose request has arrived unread, or has arrived in part, is answered."""
    async with served.connection() as idle, served.connection() as unread, served.connection() as begun:
        for talk in (idle, unread, begun):
            await talk.ask(ASKED)
        begun.writer.write(ASKED[:20])
        async with asyncio.timeout(10):
            while not connections[2]._head_open:  # noqa: ASYNC110 - nothing tells when the bytes are there
                await asyncio.sleep(0)
        unread.writer.write(ASKED)  # the event loop has not run since
        for protocol in connections:
            protocol.drain(closes_idle=True)

        assert await idle.ends()
        assert b"connection: close" in (await unread.read()).headers
        assert b"connection: close" in (await begun.ask(ASKED[20:])).headers
