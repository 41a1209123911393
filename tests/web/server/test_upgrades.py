"""An upgrade that is offered and not taken is ignored, and the request served whole, however its bytes are cut."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from tests.api.document.reading import examples
from tests.support.gateway.driven import answers_to
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.served import serving
from tests.web.fast_path.test_fast_path import JSON, LIST, wire

OFFERS = {
    "Java's HttpClient": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAA"),
    "curl --http2": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
    "an unknown protocol": ("Upgrade: foo/2", "Connection: keep-alive, upgrade"),
    "several protocols": ("Upgrade: TLS/1.0, h2c", "Connection: upgrade"),
    "a WebSocket with a body or another method": ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x"),
    "in capitals": ("CONNECTION: UPGRADE", "UPGRADE: H2C"),
}
HANDSHAKE = (
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
SMUGGLED = f"DELETE {LIST}/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def requests(*offer: str) -> Iterator[bytes]:
    """Every request of the document, with an offer; a GET is none that a WebSocket could begin with."""
    bodies = {example.method: orjson.dumps(example.body) for example in examples()}
    create, update = bodies["POST"], bodies["PUT"]
    yield wire("GET", LIST, "1|x", *[line for line in offer if "websocket" not in line])
    yield wire("POST", LIST, "1|x", *JSON, *offer, body=create)
    yield wire("PUT", f"{LIST}/1", "1|x", *JSON, *offer, body=update)
    yield wire("DELETE", f"{LIST}/1", "1|x", *offer)
    yield wire("POST", LIST, "1|x", *JSON, *offer, body=SMUGGLED)
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (create[:7], create[7:])) + b"0\r\n\r\n"
    yield wire("POST", LIST, "1|x", *JSON, *offer, "Transfer-Encoding: chunked") + chunked


@pytest.mark.parametrize("offer", OFFERS)
async def test_every_request_of_the_document_is_served_whole_however_it_is_cut(offer: str) -> None:
    """And so is the one behind it on the same connection; nothing in a body is ever a request."""
    after = wire("GET", "/after", "")
    for request, plain in zip(requests(*OFFERS[offer]), requests(), strict=True):
        ((method, path, body, names),) = await answers_to(plain)
        extra = {line.partition(":")[0].lower() for line in OFFERS[offer]} - {"upgrade"}
        for cut in range(1, len(request)):
            first, second = await answers_to(request[:cut], request[cut:] + after)
            assert first[:3] == [method, path, body], cut
            assert set(first[3]) - set(names) <= extra
            assert second[1] == "/after"


@pytest.mark.parametrize("offer", OFFERS)
async def test_an_acknowledged_change_was_made(gateway: Gateway, offer: str) -> None:
    """By the whole gateway, with the body in the piece of the head or behind it."""
    account = await gateway.new_user()
    own = await account.create("local")
    async with serving(gateway) as served, served.connection() as talk:
        for number, cut in enumerate((0, 40, 10_000)):
            body = orjson.dumps({"label": f"new {number}"})
            request = wire("PUT", f"{LIST}/{own}", account.token, *JSON, *OFFERS[offer], body=body)
            at = len(request) - len(body) if not cut else min(cut, len(request))
            pieces = [piece for piece in (request[:at], request[at:]) if piece]
            answer = await talk.ask(*pieces)
            assert answer.status == b"HTTP/1.1 200 OK"
            assert f'"label":"new {number}"'.encode() in answer.body
        smuggled = SMUGGLED.replace(b"/1 ", b"/%d " % own)
        await talk.ask(wire("POST", LIST, account.token, *JSON, *OFFERS[offer], body=smuggled))
        assert f'"id":{own},'.encode() in (await served.ask(wire("GET", LIST, account.token))).body


async def test_a_websocket_that_is_offered_where_there_is_none_is_ignored(gateway: Gateway, account: Account) -> None:
    """As any other upgrade that is not taken; so is one of a handshake that would be malformed."""
    async with serving(gateway) as served, served.connection() as talk:
        for offer in (HANDSHAKE, HANDSHAKE[:2]):
            for path, token, status in ((LIST, account.token, b"200"), (LIST, "", b"401"), ("/nowhere", "", b"404")):
                talk.writer.write(wire("GET", path, token, *offer) + wire("GET", LIST, account.token))
                assert (await talk.read()).status.split()[1] == status
                assert (await talk.read()).status.split()[1] == b"200"


async def test_a_request_behind_a_refused_websocket_is_not_lost_in_silence(gateway: Gateway, account: Account) -> None:
    """The upgrade is refused and the connection closed."""
    request = wire("GET", "/graphql", "", *HANDSHAKE).replace(b"Host: 127.0.0.1", b"Host: elsewhere")
    async with serving(gateway) as served, served.connection() as talk:
        talk.writer.write(request + wire("GET", LIST, account.token))
        assert (await talk.read()).status.split()[1] == b"400"
        assert await talk.ends()


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    return await gateway.new_user()
