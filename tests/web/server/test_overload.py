"""What the server answers while it has too much to do: 503 in the form of the API, and health as ever."""

from __future__ import annotations

import asyncio
import http.client
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager

import orjson
import pytest

from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.served import Answer, Served, serving
from tests.web.admission.test_admission import taken
from tests.web.fast_path.test_fast_path import DRAFT, JSON, LIST, graphql, wire
from web.admission import admission as rules
from web.admission.admission import Admission
from web.admission.refusals import OVERLOADED
from web.server.unparsed import whole_request

REST = {"error": "Service Unavailable", "message": OVERLOADED}
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable"
ORIGIN = "https://front.example.com"
ROUNDS, AT_ONE_TIME = 5, 40
LARGEST_PART = 0.4
AT_ONCE = 1e-9
"""No request may wait for so long: what does not begin is refused."""


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    """A user."""
    return await gateway.new_user()


@contextmanager
def full(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Admission]:
    """All places are taken, and stay so."""
    admission = served.app.admission
    assert admission is not None
    monkeypatch.setattr(rules, "AGED_S", 1_000)
    places = taken(admission)
    yield admission
    for place in places:
        admission.leave(place)


@asynccontextmanager
async def overloaded(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, **settings: object
) -> AsyncIterator[tuple[Served, Admission]]:
    """An application that refuses every request."""
    async with serving(gateway, overload_wait=AT_ONCE, **settings) as served:
        with full(served, monkeypatch) as admission:
            yield served, admission


def headers_of(answer: Answer) -> dict[bytes, bytes]:
    """The headers by name."""
    return dict(line.split(b": ", 1) for line in answer.headers)


async def test_what_is_refused_is_answered_in_the_form_of_its_api(
    gateway: Gateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before authentication and before the body is looked at, by the parser and, from the second one on, before it."""
    token = account.token
    requests = [
        wire("GET", LIST, token),
        wire("GET", LIST, "junk"),
        wire("GET", LIST, ""),
        wire("POST", LIST, token, *JSON, body=b"{"),
        wire("PUT", f"{LIST}/1", token, *JSON, body=DRAFT),
        wire("DELETE", f"{LIST}/1", token),
        wire("GET", "/nowhere", token),
        wire("GET", LIST, token, "Connection: Upgrade", "Upgrade: h2c"),
    ]
    async with (
        overloaded(gateway, monkeypatch, cors_origins=(ORIGIN,)) as (served, admission),
        served.connection() as talk,
    ):
        for sent in requests:
            answer = await talk.ask(sent)
            assert (answer.status, orjson.loads(answer.body)) == (UNAVAILABLE, REST), sent
            headers = headers_of(answer)
            assert headers[b"content-type"] == b"application/json"
            assert 1 <= int(headers[b"retry-after"]) <= 3
            assert headers[b"cache-control"] == b"no-store"
            assert headers[b"x-content-type-options"] == b"nosniff"
            assert b"access-control-allow-origin" not in headers

        for accept in ("application/json", "application/graphql-response+json"):
            answer = await talk.ask(graphql(token, "{ nothing", f"Accept: {accept}", f"Origin: {ORIGIN}"))
            assert answer.status == UNAVAILABLE
            (error,) = orjson.loads(answer.body)["errors"]
            assert error["message"] == OVERLOADED
            assert error["extensions"]["code"] == "SERVICE_UNAVAILABLE"
            headers = headers_of(answer)
            assert headers[b"content-type"].startswith(accept.encode())
            assert int(headers[b"retry-after"]) == error["extensions"]["retryAfter"]
            assert headers[b"access-control-allow-origin"] == ORIGIN.encode()
            assert b"Retry-After" in headers[b"access-control-expose-headers"]

        head = await talk.ask(wire("HEAD", LIST, token))
        assert (head.status, head.body) == (UNAVAILABLE, b"")
        for path in ("/healthz", "/readyz", "/metrics"):
            answer = await talk.ask(wire("GET", path, ""))
            assert answer.status == b"HTTP/1.1 200 OK"
        assert b"moorings_requests_shed_total %d.0" % (len(requests) + 3) in answer.body
        assert admission.is_overloaded


@pytest.mark.parametrize("is_overloaded", [False, True])
async def test_an_answer_is_the_same_from_the_parser_and_before_it(
    gateway: Gateway, account: Account, monkeypatch: pytest.MonkeyPatch, *, is_overloaded: bool
) -> None:
    """In two pieces a request is the parser's; behind either way the connection goes on."""
    sent = wire("POST", LIST, account.token, *JSON, body=DRAFT)
    async with overloaded(gateway, monkeypatch) as (served, admission), served.connection() as talk:
        if is_overloaded:
            admission.note_refused()
        answers = [await talk.ask(sent), await talk.ask(sent[:20], sent[20:]), await talk.ask(sent[:-3], sent[-3:])]
        for answer in answers:
            kept = [line for line in answer.headers if not line.startswith(b"retry-after: ")]
            assert (answer.status, orjson.loads(answer.body)) == (UNAVAILABLE, REST)
            assert kept == [line for line in answers[0].headers if not line.startswith(b"retry-after: ")]


def exchanged(connections: Sequence[socket.socket], request: bytes) -> set[bytes]:
    """Send a request over each connection at the same time, and return the status lines of the responses."""
    for connection in connections:
        connection.sendall(request)
    statuses = set()
    for connection in connections:
        reader = http.client.HTTPResponse(connection)
        reader.begin()
        reader.read()
        statuses.add(b"%d" % reader.status)
        reader.close()
    return statuses


async def cost_of(connections: Sequence[socket.socket], request: bytes, status: bytes) -> float:
    """The least processor time that the event loop used for the requests; the client has a thread of its own."""
    costs = []
    for _ in range(ROUNDS):
        started = time.thread_time()
        statuses = await asyncio.to_thread(exchanged, connections, request)
        costs.append(time.thread_time() - started)
        assert statuses == {status}
    return min(costs)


async def test_a_refusal_costs_a_small_part_of_what_an_answer_costs(
    gateway: Gateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same request, while a process refuses many: else what it refuses would take it from what it serves."""
    request = wire("POST", LIST, account.token, *JSON, body=DRAFT)
    with ExitStack() as stack:
        async with serving(gateway, overload_wait=1) as served:
            connections = [stack.enter_context(socket.create_connection(served.address)) for _ in range(AT_ONE_TIME)]
            answers = await cost_of(connections, request, b"201")
            with full(served, monkeypatch) as admission:
                monkeypatch.setattr(admission, "_max_wait_s", AT_ONCE)
                refusals = await cost_of(connections, request, b"503")
                assert admission.refused == ROUNDS * AT_ONE_TIME
    assert refusals <= LARGEST_PART * answers


async def test_a_body_that_is_not_whole_is_refused_and_the_rest_of_it_dropped(
    gateway: Gateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunked or not: the request behind it is answered. A client that waits for `100 Continue` may never send it."""
    begun = wire("POST", LIST, account.token, *JSON, "Transfer-Encoding: chunked")
    large = wire("PUT", f"{LIST}/1", account.token, *JSON, "Content-Length: 100000")
    waits = wire("PUT", f"{LIST}/1", account.token, *JSON, "Content-Length: 100", "Expect: 100-continue")
    async with overloaded(gateway, monkeypatch) as (served, _), served.connection() as talk:
        for head, rest in ((begun, b"3\r\nabc\r\n0\r\n\r\n"), (large, b"a" * 100_000)):
            answer = await talk.ask(head)
            assert (answer.status, orjson.loads(answer.body)) == (UNAVAILABLE, REST)
            answer = await talk.ask(rest + wire("GET", "/healthz", ""))
            assert answer.status == b"HTTP/1.1 200 OK"
        answer = await talk.ask(waits)
        assert answer.status == UNAVAILABLE
        assert headers_of(answer)[b"connection"] == b"close"
        assert await talk.ends()


async def test_pipelined_requests_are_refused_in_order(
    gateway: Gateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Health among them is answered at its place."""
    refused = [wire("GET", LIST, account.token), wire("PUT", f"{LIST}/1", account.token, *JSON, body=DRAFT)]
    async with overloaded(gateway, monkeypatch) as (served, _), served.connection() as talk:
        talk.writer.write(b"".join([*refused, wire("GET", "/healthz", ""), *refused]))
        statuses = [(await talk.read()).status[9:12] for _ in range(5)]
    assert statuses == [b"503", b"503", b"200", b"503", b"503"]


async def test_a_websocket_is_refused(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its handshake is answered with 503, and the connection closed."""
    handshake = wire(
        "GET",
        "/graphql",
        "",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol: graphql-transport-ws",
    )
    async with overloaded(gateway, monkeypatch) as (served, admission), served.connection() as talk:
        admission.note_refused()
        answer = await talk.ask(handshake)
        assert answer.status == UNAVAILABLE
        assert 1 <= int(headers_of(answer)[b"retry-after"]) <= 3
        assert await talk.ends()


async def test_requests_that_wait_are_answered_in_order_with_those_pipelined_behind_them(
    gateway: Gateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the fast path and the standard path."""
    async with serving(gateway, overload_wait=10) as served, served.connection() as talk, served.connection() as other:
        for number in (1, 2):
            await talk.ask(wire("GET", f"{LIST}?page={number}", account.token))
        reads = [wire("GET", f"{LIST}?page={number}", account.token) for number in (1, 2, 3)]
        with full(served, monkeypatch) as admission:
            talk.writer.write(b"".join(reads))
            other.writer.write(wire("POST", LIST, account.token, *JSON, body=DRAFT))
            async with asyncio.timeout(5):
                while admission.waiting < 2:  # noqa: ASYNC110 - the server reads in the same loop
                    await asyncio.sleep(0)

        for number in (1, 2, 3):
            assert b'"current_page":%d,' % number in (await talk.read()).body
        assert (await other.read()).status == b"HTTP/1.1 201 Created"
        assert (admission.running, admission.waiting, admission.refused) == (0, 0, 0)


async def test_a_client_that_leaves_while_its_request_waits_leaves_nothing(
    gateway: Gateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the queue nor at work."""
    async with serving(gateway, overload_wait=10) as served:
        with full(served, monkeypatch) as admission:
            async with served.connection() as talk:
                talk.writer.write(wire("GET", LIST, account.token))
                async with asyncio.timeout(5):
                    while not admission.waiting:  # noqa: ASYNC110 - the server reads in the same loop
                        await asyncio.sleep(0)
            async with asyncio.timeout(5):
                while admission.waiting:  # noqa: ASYNC110 - the server reads in the same loop
                    await asyncio.sleep(0)
        assert admission.running == 0


PLAIN = wire("PUT", f"{LIST}/1", "1|abc", *JSON, "Accept: */*", "Connection: keep-alive", body=DRAFT)


def test_a_plain_request_is_read_before_the_parser() -> None:
    whole = whole_request(PLAIN)
    assert whole is not None
    assert (whole.method, whole.target) == (b"PUT", f"{LIST}/1".encode())
    assert (b"authorization", b"Bearer 1|abc") in whole.headers
    assert (b"content-length", b"%d" % len(DRAFT)) in whole.headers
    assert len(whole.headers) == 6


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:-1],
        PLAIN + b"G",
        PLAIN + PLAIN,
        PLAIN.replace(b"\r\n", b"\n"),
        PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
        PLAIN.replace(b"keep-alive", b"close"),
        PLAIN.replace(b"Accept", b"Upgrade"),
        PLAIN.replace(b"Accept", b"Expect"),
        PLAIN.replace(b"Accept: */*", b"Transfer-Encoding: chunked"),
        PLAIN.replace(b"Accept: */*", b"Transfer-Encoding : chunked"),
        PLAIN.replace(b"Accept: */*", b"Host: other"),
        PLAIN.replace(b"Accept: */*", b"Content-Length: 3"),
        PLAIN.replace(b"Accept: */*", b"Authorization: Bearer 2|x"),
        PLAIN.replace(b"Accept: */*", b"Accept: a\r\n b"),
        PLAIN.replace(b"Accept: */*", b"Accept: a\x00b"),
        PLAIN.replace(b"Accept: */*", b"Accept: " + b"a" * 5_000),
        PLAIN.replace(b"Host", b"Hosts"),
        PLAIN.replace(b"PUT", b"CONNECT"),
        PLAIN.replace(b"/1 ", b"/1#x "),
        PLAIN.replace(b"Content-Length: ", b"Content-Length: +"),
        b"\r\n" + PLAIN,
        b"",
    ],
)
def test_whatever_leaves_a_doubt_is_the_parsers(data: bytes) -> None:
    """Cut, in pieces, with another framing, or malformed."""
    assert whole_request(data) is None
