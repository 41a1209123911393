"""Pages of other origins: what they may send, and that they can read every refusal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.support.api.destinations import LIST
from tests.support.browser.browser import Browser
from tests.support.gateway.gateway import Account, Gateway
from tests.support.ports import free_port

PREVIEW = "https://pr-7.preview.example.com"
CONNECTIONS = 3
JSON = {"content-type": "application/json"}
EXPOSED = {
    *("etag", "location", "retry-after", "x-request-id", "idempotent-replayed"),
    *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
}
SENT = """accept authorization content-type x-requested-with if-match if-none-match prefer idempotency-key
last-event-id x-request-id x-graphql-cost traceparent tracestate baggage sentry-trace apollographql-client-name
apollographql-client-version x-apollo-operation-name apollo-require-preflight graphql-preflight x-tenant"""


@pytest.fixture(scope="module")
def page_port() -> int:
    """The port of the pages that call from another origin."""
    return free_port()


@pytest.fixture(scope="module")
def shared(page_port: int) -> Iterator[Gateway]:
    """A gateway that pages of previews and of one local server may call."""
    gateway = Gateway(
        cors_origins=f"https://*.preview.example.com,http://127.0.0.1:{page_port}",
        cors_headers="X-Tenant",
        rate_limit="20/minute",
        max_body_bytes="1024",
        max_address_connections=str(CONNECTIONS),
        public_url="http://127.0.0.1",
    ).start()
    yield gateway
    gateway.close()


def assert_readable(answer: httpx.Response, status: int, origin: str = PREVIEW) -> None:
    """A response that a page of the origin gets to see, with the headers that it needs."""
    assert answer.status_code == status, answer.text
    assert answer.headers.get_list("access-control-allow-origin") == [origin]
    assert set(answer.headers["access-control-expose-headers"].lower().split(", ")) >= EXPOSED
    assert "origin" in answer.headers["vary"].lower()
    assert answer.headers["x-request-id"]


async def test_a_page_can_read_every_refusal_of_the_application(shared: Gateway) -> None:
    account = await shared.new_user()
    async with account.client(origin=PREVIEW) as client:
        assert_readable(await client.get(LIST), 200)
        assert_readable(await client.get(LIST, headers={"authorization": "Bearer nobody"}), 401)
        assert_readable(await client.get(LIST, headers={"host": "evil.example"}), 400)
        assert_readable(await client.get(f"{LIST}/999"), 404)
        assert_readable(await client.get("/nowhere"), 404)
        assert_readable(await client.patch(LIST), 405)
        assert_readable(await client.post(LIST, json={"label": "x" * 2_000}), 413)
        assert_readable(await client.post(LIST, json={}), 422)
        assert_readable(await client.post("/graphql", content=b"{", headers=JSON), 400)
        assert_readable(await client.post("/graphql", content=b"x", headers={"content-type": "text/plain"}), 415)
        for _ in range(20):
            last = await client.get(LIST)
        assert_readable(last, 429)
        assert last.headers["retry-after"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-large": "a" * 20_000}, 431),
        ({f"x-{number}": "a" for number in range(101)}, 431),
        ({"host": ""}, 400),
    ],
    ids=["too large", "too many", "no host"],
)
async def test_a_page_can_read_what_the_server_itself_refuses(
    shared: Gateway, headers: dict[str, str], status: int
) -> None:
    """The origin comes behind what is too large, as browsers send it."""
    async with httpx.AsyncClient(base_url=shared.url, timeout=60) as client:
        assert_readable(await client.get(LIST, headers={**headers, "origin": PREVIEW}), status)
    async with httpx.AsyncClient(base_url=shared.url, timeout=60) as client:
        refused = await client.get(LIST, headers={**headers, "origin": "https://evil.example"})
    assert refused.status_code == status
    assert "access-control-allow-origin" not in refused.headers


async def test_a_page_can_read_a_431_whose_origin_comes_in_a_later_piece(shared: Gateway) -> None:
    reader, writer = await asyncio.open_connection(shared.host, shared.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 30_000 + b"\r\n")
    await writer.drain()
    assert not await _says_something(reader)
    writer.write(b"Origin: %s\r\nReferer: x" % PREVIEW.encode())
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 431")
    assert b"\r\naccess-control-allow-origin: %s\r\n" % PREVIEW.encode() in answer


async def _says_something(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(0.2):
            return bool(await reader.read(1))
    except TimeoutError:
        return False


async def test_a_head_whose_origin_never_comes_is_refused_all_the_same(shared: Gateway) -> None:
    reader, writer = await asyncio.open_connection(shared.host, shared.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 70_000)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 431")
    assert b"access-control" not in answer


async def test_a_page_can_read_that_there_are_too_many_connections(shared: Gateway) -> None:
    held = [await asyncio.open_connection(shared.host, shared.port) for _ in range(CONNECTIONS)]
    try:
        async with httpx.AsyncClient(base_url=shared.url, timeout=60) as client:
            refused = await client.get(LIST, headers={"origin": PREVIEW})
    finally:
        for _, writer in held:
            writer.close()
    assert_readable(refused, 503)
    assert refused.headers["retry-after"] == "1"


async def test_a_preflight_lets_through_what_clients_and_tracing_libraries_send(shared: Gateway) -> None:
    asked = {"origin": PREVIEW, "access-control-request-method": "POST"}
    async with httpx.AsyncClient(base_url=shared.url, timeout=60) as client:
        allowed = await client.options(
            "/graphql", headers={**asked, "access-control-request-headers": ",".join(SENT.split())}
        )
        refused = await client.options("/graphql", headers={**asked, "access-control-request-headers": "x-other"})

    assert (allowed.status_code, refused.status_code) == (200, 400)
    assert set(SENT.split()) <= set(allowed.headers["access-control-allow-headers"].lower().split(", "))
    assert allowed.headers["access-control-allow-origin"] == PREVIEW


@pytest.mark.parametrize(
    "origin",
    [
        *("https://preview.example.com", "https://a.b.preview.example.com", "http://pr-7.preview.example.com"),
        *("https://pr-7.preview.example.com:8443", "https://pr-7.preview.example.com.evil.example"),
        *(
            "https://pr-7.previewXexample.com",
            "https://.preview.example.com",
            "https://evil.example#.preview.example.com",
        ),
        *("https://pr-7-preview.example.com", "https://*.preview.example.com", "null"),
    ],
)
async def test_a_pattern_stands_for_exactly_one_label(shared: Gateway, origin: str) -> None:
    """In the application and in what the server refuses alike."""
    async with httpx.AsyncClient(base_url=shared.url, timeout=60) as client:
        answers = [await client.get("/healthz", headers={"origin": origin})]
        answers.append(await client.get("/healthz", headers={"x-large": "a" * 20_000, "origin": origin}))

    assert [answer.status_code for answer in answers] == [200, 431]
    assert not [answer for answer in answers if "access-control-allow-origin" in answer.headers]


@asynccontextmanager
async def page_server(port: int) -> AsyncIterator[str]:
    """An origin that has one empty page."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n"
            b"Connection: close\r\n\r\n<!doctype html>"
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}/"


async def test_a_browser_lets_a_page_with_tracing_call_and_read_refusals(
    shared: Gateway, browser: Browser, page_port: int
) -> None:
    """With what Sentry, OpenTelemetry and Apollo Client add to each request."""
    account: Account = await shared.new_user()
    traced = {
        "authorization": f"Bearer {account.token}",
        "content-type": "application/json",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": "a=b",
        "baggage": "sentry-environment=production",
        "sentry-trace": "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "apollographql-client-name": "console",
        "apollographql-client-version": "1.0",
        "x-tenant": "a",
    }
    call = """async (path, headers, init) => {
      const answer = await fetch(BASE + path, {...init, headers});
      return [answer.status, answer.headers.get('x-request-id') !== null, (await answer.text()).length > 0];
    }""".replace("BASE", json.dumps(shared.url))
    body = {"method": "POST", "body": json.dumps({"query": "{ viewer { id } }"})}

    async with page_server(page_port) as url, browser.page() as page:
        await page.open(url)

        async def fetch(path: str, headers: dict[str, str], init: dict[str, str]) -> object:
            return await page.evaluate(f"({call})({json.dumps(path)}, {json.dumps(headers)}, {json.dumps(init)})")

        assert await fetch("/graphql", traced, body) == [200, True, True]
        assert await fetch(LIST, traced | {"authorization": "Bearer nobody"}, {}) == [401, True, True]
        assert await fetch(LIST, traced, {"method": "POST", "body": " " * 2_000}) == [413, True, True]
        assert await fetch(LIST, traced | {"x-tenant": "a" * 20_000}, {}) == [431, True, True]
        refused = f"({call})('/healthz', {{'x-other': '1'}}, {{}}).catch(error => error.name)"
        assert await page.evaluate(refused) == "TypeError"
