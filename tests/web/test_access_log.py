"""One line of the log for each request, with the id that its response has, and nothing that a client could forge."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.databases.migrating import until
from tests.support.gateway.gateway import Account, Gateway
from web.access_log import shown_path

LIST = "/api/backup-destinations"
ID = re.compile(rb"\r\nx-request-id: ([0-9A-Za-z._:+/=-]{1,128})\r\n", re.IGNORECASE)
UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
)


@pytest.fixture(scope="module", params=["json", "console"])
def logging(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A gateway behind no proxy, with each form of the log."""
    gateway = Gateway(log_format=request.param).start()
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def proxied() -> Iterator[Gateway]:
    """A gateway that trusts this machine's proxies, with two processes."""
    origins = "https://a.example"
    gateway = Gateway(workers=2, log_format="json", trusted_proxies="127.0.0.1", cors_origins=origins).start()
    yield gateway
    gateway.close()


async def sent(gateway: Gateway, request: bytes) -> bytes:
    """Everything that is answered to some bytes."""
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


async def kept_alive(gateway: Gateway, request: bytes) -> bytes:
    """The answer to a request on a connection that stays open, as the fast path wants it."""
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    writer.write(request.replace(b"Connection: close\r\n", b""))
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = re.findall(rb"(?i)content-length: (\d+)", head)
    body = await reader.readexactly(int(length))
    writer.close()
    return head + body


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    """A request on a connection of its own."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]).encode()


def bearer(account: Account) -> str:
    """The header of an account's token."""
    return f"Authorization: Bearer {account.token}"


def id_of(answer: bytes) -> str:
    """The id in an answer's head, which has exactly one."""
    (found,) = ID.findall(answer)
    return str(found.decode())


def lines_of(gateway: Gateway) -> list[dict[str, Any]]:
    """The lines of requests, by name and value."""
    lines = gateway.log_text().splitlines()
    if gateway.settings["log_format"] == "json":
        read = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in read if line["logger"] == "moorings.access"]
    texts = [line.partition(" request ")[2] for line in lines if " request request_id=" in line]
    return [dict(pair.split("=", 1) for pair in text.split(" ")) for text in texts]


async def line_of(gateway: Gateway, answer: bytes) -> dict[str, Any]:
    """The one line of a request that was answered."""
    wanted = id_of(answer)

    async def is_there() -> bool:
        return wanted in {line["request_id"] for line in lines_of(gateway)}

    await until(is_there)
    (line,) = [line for line in lines_of(gateway) if line["request_id"] == wanted]
    return line


async def test_a_read_has_its_line_on_the_standard_path_and_on_the_fast_one(logging: Gateway) -> None:
    account = await logging.new_user()
    ids = set()
    for _ in range(3):
        async with asyncio.timeout(20):
            answer = await kept_alive(logging, get(f"{LIST}?page=1&token=secret", bearer(account)))
        line = await line_of(logging, answer)
        body = answer.partition(b"\r\n\r\n")[2]
        assert (line["method"], line["path"], str(line["status"])) == ("GET", LIST, "200")
        assert (line["address"], line["protocol"], int(line["bytes"])) == ("127.0.0.1", "rest", len(body))
        assert [int(line["user_id"]), str(line["token_id"])] == [account.user_id, account.token.partition("|")[0]]
        assert 0 < float(line["duration_ms"]) < 60_000
        ids.add(line["request_id"])
    assert len(ids) == 3
    assert "token=secret" not in logging.log_text()


REFUSED = [
    (get("/nowhere"), 404, "/nowhere"),
    (get(LIST), 401, LIST),
    (get(LIST, "Authorization: Bearer nothing"), 401, LIST),
    (get(LIST, "Host: other"), 400, LIST),
    (get("/x\x1b[31m%0aFORGED"), 400, "-"),
    (get("/a%0aFORGED/b"), 404, "/*/b"),
    (get("/FORGED%1b%5b31m"), 404, "/*"),
    (get("/", method="CONNECT"), 400, "/"),
    (b"GARBAGE\r\n\r\n", 400, "-"),
    (b"GET / HTTP/3.7\r\nHost: localhost\r\n\r\n", 505, "/"),
    (get(LIST, f"X-Long: {'x' * 20_000}"), 431, LIST),
    (UPGRADE % b"Sec-WebSocket-Version: 7\r\n", 400, ""),
]


@pytest.mark.parametrize(("request_", "status", "path"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
async def test_every_refusal_has_an_id(request_: bytes, status: int, path: str, logging: Gateway) -> None:
    """Those of the parser and of the WebSocket's handshake too."""
    answer = await sent(logging, request_)

    assert b"FORGED" not in answer
    assert ID.findall(answer), answer
    if path:
        line = await line_of(logging, answer)
        assert line["path"] in (path, "-")
        assert re.fullmatch(r"4\d\d|50[15]", str(line["status"]))
    assert "FORGED" not in logging.log_text()
    assert "\x1b" not in logging.log_text()


async def test_a_trusted_proxys_id_and_address_are_taken_and_no_others(proxied: Gateway, logging: Gateway) -> None:
    account = await proxied.new_user()
    given = ("X-Request-Id: of-the.proxy:1", "X-Forwarded-For: 2001:DB8:0::7")
    for _ in range(2):  # the second one may be replayed
        answer = await sent(proxied, get(LIST, bearer(account), "Origin: https://a.example", *given))
        assert id_of(answer) == "of-the.proxy:1"
        assert b"x-request-id" in re.findall(rb"(?i)access-control-expose-headers: (.*)", answer)[0].lower()
    for wrong in ("x" * 129, "a b", 'a"b', "-", "caf\xe9", ""):
        answer = await sent(proxied, get("/healthz", f"X-Request-Id: {wrong}"))
        assert re.fullmatch(r"[0-9a-f]{16}", id_of(answer))
    answer = await sent(logging, get("/healthz", "X-Request-Id: of-a-client"))
    assert id_of(answer) != "of-a-client"

    async def are_there() -> bool:
        return [line["request_id"] for line in lines_of(proxied)].count("of-the.proxy:1") == 2

    await until(are_there)
    lines = [line for line in lines_of(proxied) if line["request_id"] == "of-the.proxy:1"]
    assert {line["address"] for line in lines} == {"2001:db8::7"}


async def test_a_websocket_has_an_id_and_a_line_when_it_ends(logging: Gateway) -> None:
    reader, writer = await asyncio.open_connection(logging.host, logging.port)
    writer.write(UPGRADE % b"Sec-WebSocket-Protocol: graphql-transport-ws\r\nX-Request-Id: of-a-client\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert id_of(head) != "of-a-client"
    writer.transport.abort()

    line = await line_of(logging, head)
    assert (line["method"], line["path"], str(line["status"])) == ("GET", "/graphql", "101")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/backup-destinations/17", "/api/backup-destinations/17"),
        ("/api/backup-destinations/mrg_Abc", "/api/backup-destinations/*"),
        ("/a\nb/c", "/*/c"),
        ("/x" * 30, "/x" * 12 + "/*"),
        ("/" + "a" * 25, "/*"),
        ("/possibleTypes.json", "/*"),
    ],
)
def test_a_path_shows_short_names_and_numbers_alone(path: str, shown: str) -> None:
    assert shown_path(path) == shown


def test_a_route_is_shown_as_it_is() -> None:
    assert shown_path("/possibleTypes.json", "/possibleTypes.json") == "/possibleTypes.json"


@pytest.mark.parametrize("settings", [{"access_log": "false"}, {"log_level": "WARNING"}])
async def test_the_lines_can_be_turned_off(settings: dict[str, Any]) -> None:
    gateway = Gateway(**settings).start()
    try:
        answer = await sent(gateway, get("/healthz"))
        assert id_of(answer)
        gateway.stop()
        assert "request_id" not in gateway.log_text()
    finally:
        gateway.close()
