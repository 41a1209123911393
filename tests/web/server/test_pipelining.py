"""Requests behind one another on a connection: all are answered once, in order, or the client is told why not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.routing import Mount

from tests.support.gateway.driven import Driven, answers_to
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.served import serving
from tests.web.fast_path.test_fast_path import DRAFT, JSON, LIST, wire
from web.application import Application
from web.request_state import request_state
from web.server import protocol as server
from web.server.protocol import HardenedProtocol

GET = wire("GET", "/a", "")


def post(size: int, filling: bytes = b" ") -> bytes:
    return wire("POST", "/p", "", *JSON, body=(filling * size)[:size])


def slow() -> tuple[Any, asyncio.Event, list[str]]:
    """An application whose responses wait for an event, the event, and the paths that it was asked for."""
    go_on, asked = asyncio.Event(), []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    return app, go_on, asked


@pytest.mark.parametrize("count", [2, 33, 40, 100])
@pytest.mark.parametrize("size", [5, 300, 900, 3_000, 60_000])
@pytest.mark.parametrize("filling", [b" ", b"\n\n"])
async def test_bodies_of_requests_that_wait_arrive_whole(count: int, size: int, filling: bytes) -> None:
    """However many come at once, and whatever is in them."""
    request = post(size, filling)

    answers = await answers_to(request * count + GET)

    assert [len(answer[2]) for answer in answers] == [size] * count + [0]
    assert answers[-1][1] == "/a"


async def test_a_long_row_of_requests_is_answered_in_order_in_any_pieces() -> None:
    requests = b"".join(wire("GET", f"/{n}", "") + post(n) for n in range(60))
    for size in (1, 7, 500, 5_000, len(requests)):
        pieces = [requests[start : start + size] for start in range(0, len(requests), size)]
        paths = [answer[1] for answer in await answers_to(*pieces)]
        assert paths == [path for n in range(60) for path in (f"/{n}", "/p")]


@pytest.mark.parametrize("come_later", [False, True])
async def test_a_request_begins_once_the_client_has_taken_what_was_written_before(
    monkeypatch: pytest.MonkeyPatch, *, come_later: bool
) -> None:
    """Whether it came with the first one or later; a client that does not read makes the gateway do nothing more."""
    app, go_on, asked = slow()
    go_on.set()
    driven = Driven(app)
    write = driven.transport.write

    def write_and_pause(data: bytes) -> None:
        write(data)
        if data.endswith(b"ok"):
            driven.protocol.pause_writing()

    monkeypatch.setattr(driven.transport, "write", write_and_pause)
    await driven.send(*([GET, GET, GET] if come_later else [GET * 3]))
    for count in (1, 2, 3):
        await driven.settle()
        assert len(asked) == count
        driven.protocol.resume_writing()
    assert driven.statuses == ["200", "200", "200"]
    driven.close()


async def test_no_deadline_runs_while_the_client_waits_for_a_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a head, or half a body, behind a request that takes its time."""
    monkeypatch.setattr(server, "HEAD_S", 0.02)
    monkeypatch.setattr(server, "BODY_S", 0.02)
    for cut in (10, len(post(100)) - 10):
        app, go_on, _ = slow()
        driven = Driven(app)
        await driven.send(GET, post(100)[:cut])
        await asyncio.sleep(0.1)
        assert driven.statuses == []
        await driven.send(post(100)[cut:])
        go_on.set()
        await driven.settle()
        assert driven.statuses == ["200", "200"]
        driven.close()


async def test_what_was_refused_is_not_executed() -> None:
    """The refusal comes behind the responses that are owed, and ends the connection."""
    app, go_on, asked = slow()
    driven = Driven(app)
    await driven.send(GET, b"nonsense\r\n\r\n", wire("DELETE", "/1", ""))
    assert driven.statuses == []

    go_on.set()
    await driven.settle()

    assert asked == ["/a"]
    assert driven.statuses == ["200", "400"]
    assert driven.transport.is_closing()
    driven.close()


async def test_a_request_that_was_answered_early_gets_no_second_answer() -> None:
    async def refuse(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    driven = Driven(refuse)
    await driven.send(wire("POST", "/p", "", *JSON, "Transfer-Encoding: chunked") + b"1\r\n{\r\n")
    await driven.settle()
    await driven.send(b"zz\r\n")

    assert driven.statuses == ["401"]
    assert driven.transport.is_closing()
    driven.close()


async def test_every_request_under_way_learns_that_the_client_has_gone() -> None:
    """The one that runs too, when another waits behind it."""
    messages: list[str] = []

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            pass
        messages.append(message["type"])

    driven = Driven(app)
    await driven.send(GET, GET)
    driven.close()
    await driven.settle()

    assert messages == ["http.disconnect"]


async def test_a_connection_whose_response_was_taken_late_is_closed_when_it_is_idle() -> None:
    """The timer is set also when the response was complete while the client was slow."""
    driven = Driven()
    driven.protocol.timeout_keep_alive = 0
    write = driven.transport.write

    def write_and_pause(data: bytes | bytearray | memoryview) -> None:
        write(data)
        driven.protocol.pause_writing()

    driven.transport.write = write_and_pause  # type: ignore[method-assign]  # as a transport above its high-water mark
    await driven.send(GET)
    driven.protocol.resume_writing()
    await driven.settle()
    async with asyncio.timeout(10):
        await driven.transport.closed.wait()

    assert json.loads(driven.bodies[0])[1] == "/a"
    driven.close()


async def test_a_stop_waits_for_a_request_that_the_fast_path_holds(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its head is there and its body not yet, and no application has begun."""
    made: list[HardenedProtocol] = []
    begin = HardenedProtocol.connection_made

    def note(self: HardenedProtocol, transport: asyncio.Transport) -> None:
        made.append(self)
        begin(self, transport)

    monkeypatch.setattr(HardenedProtocol, "connection_made", note)
    account = await gateway.new_user()
    request = wire("POST", LIST, account.token, *JSON, body=DRAFT)
    async with serving(gateway) as served, served.connection() as talk:
        talk.writer.write(request[:-5])
        async with asyncio.timeout(10):
            while not made or made[0]._plain_head is None:  # noqa: ASYNC110 - nothing tells when the bytes are there
                await asyncio.sleep(0.01)
        made[0].drain(closes_idle=False)
        answer = await talk.ask(request[-5:])

        assert answer.status == b"HTTP/1.1 201 Created"
        assert await talk.ends()


async def test_a_replay_beyond_the_limit_reads_nothing(gateway: Gateway) -> None:
    account = await gateway.new_user()
    request = wire("GET", LIST, account.token)
    async with serving(gateway, rate_limit="4/minute", response_cache_bytes=0) as served, served.connection() as talk:
        for _ in range(4):
            await talk.ask(request)
        (prepared,) = served.prepared.values()
        before = prepared.authenticator._reads.counts()
        refused = [await talk.ask(request) for _ in range(3)]
        after = prepared.authenticator._reads.counts()

    assert {answer.status for answer in refused} == {b"HTTP/1.1 429 Too Many Requests"}
    assert [name for name in after if after[name] != before[name]] == ["token"]


@pytest.mark.parametrize("comes_later", [False, True])
async def test_a_request_behind_a_stream_is_answered_when_that_has_ended(comes_later: bool) -> None:
    """An open stream keeps no parser, and what comes meanwhile, or afterwards, is parsed all the same."""
    go_on = asyncio.Event()

    async def end(_scope: Any, _receive: Any, send: Any) -> None:
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"end"})

    async def answer(scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        if scope["path"] == "/a":
            request_state(scope).rest = end
        else:
            await send({"type": "http.response.body", "body": b"all"})

    driven = Driven(Application(routes=[Mount("/", app=answer)]))
    await driven.send(GET)
    assert driven.statuses == ["200"]
    parser: Any = driven.protocol.parser
    assert parser is None

    if comes_later:
        go_on.set()
        await driven.settle()
    await driven.send(wire("GET", "/b", "")[:10], wire("GET", "/b", "")[10:])
    go_on.set()
    await driven.settle()

    assert driven.statuses == ["200", "200"]
    driven.close()
