"""What clients without a token make a gateway do, by documents and by frames, takes nothing from other clients."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest

from tests.support.figures import amount
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.unharmed import Figure, unharmed
from tests.web.fast_path.test_fast_path import wire

CLIENTS = 16
HELLO = (
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    *("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: graphql-transport-ws"),
)
PING, TEXT, CONTINUATION, FINAL = 0x9, 0x1, 0x0, 0x80
ALIASES = " ".join(f"a{number}: backupDestinations(first: 100) {{ edges {{ node {{ id }} }} }}" for number in range(25))
DOCUMENTS = {
    "introspection": "{ __schema { types { name fields { name type { name ofType { name ofType { name } } } } } } }",
    "many aliases": f"{{ {ALIASES} }}",
    "unknown fields": f"{{ {' '.join(f'unknown{number}' for number in range(400))} }}",
    "deep": "{ viewer " * 400 + "}" * 400,
    "no document": "{" * 3_000,
}


@pytest.mark.parametrize("authorization", ["none", "junk"])
@pytest.mark.parametrize("document", [*DOCUMENTS])
async def test_documents_without_a_token_take_nothing_from_others(
    attacked: Gateway, listed: bytes, figure: Figure, document: str, authorization: str
) -> None:
    body = json.dumps({"query": DOCUMENTS[document]}).encode()
    token = "" if authorization == "none" else f"7|mrg_{'a' * 46}"
    request = wire("POST", "/graphql", token, "Content-Type: application/json", body=body)

    async def send(number: int) -> set[bytes]:
        reader, writer = await asyncio.open_connection(
            attacked.host, attacked.port, local_addr=(f"127.0.66.{number + 1}", 0)
        )
        statuses = set()
        for _ in range(amount(10, 100)):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            statuses.add(head[9:12])
        writer.close()
        return statuses

    async with unharmed(attacked, listed, figure):
        statuses = await asyncio.gather(*(send(number) for number in range(CLIENTS)))

    assert set[bytes]().union(*statuses) <= {b"200", b"400", b"401", b"429"}


def frame(opcode: int, payload: bytes = b"", *, is_final: bool = True) -> bytes:
    """A masked frame of a client, RFC 6455, 5.2."""
    return bytes([(FINAL if is_final else 0) | opcode, FINAL | len(payload)]) + b"\0\0\0\0" + payload


FLOODS = {
    "empty pings": (b"", frame(PING) * 5_000),
    "empty continuations": (frame(TEXT, b"{", is_final=False), frame(CONTINUATION, is_final=False) * 5_000),
    "pings with a payload": (b"", frame(PING, b"p" * 100) * 1_000),
    "messages that mean nothing": (b"", frame(TEXT, b'{"type":"ping"}') * 2_000),
}


@pytest.mark.parametrize("kind", [*FLOODS])
async def test_a_websocket_that_sends_as_fast_as_it_can_takes_nothing_from_others(
    attacked: Gateway, listed: bytes, figure: Figure, kind: str
) -> None:
    """Nothing that it is sent is read, either."""
    first, flood = FLOODS[kind]
    async with unharmed(attacked, listed, figure):
        for _ in range(amount(3, 30)):
            reader, writer = await asyncio.open_connection(attacked.host, attacked.port, limit=2_048)
            writer.write(wire("GET", "/graphql", "", *HELLO))
            assert (await reader.readline()).startswith(b"HTTP/1.1 101")
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's own
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(2):
                    writer.write(first)
                    for _ in range(20):
                        writer.write(flood)
                        await writer.drain()
            writer.transport.abort()
