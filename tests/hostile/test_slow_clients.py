"""Many clients that are slow on purpose, in the four modes of slowhttptest: another client notices none of it.

A gateway takes 64 connections of one address (`MOORINGS_MAX_ADDRESS_CONNECTIONS`); the attack has many addresses.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from tests.hostile.test_connections import abort
from tests.support.figures import FULL, amount
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.unharmed import MEBIBYTE, Figure, unharmed
from tests.web.fast_path.test_fast_path import JSON, LIST, wire

CONNECTIONS = amount(100, 1_000)
PER_ADDRESS = 50
SECONDS = amount(2, 18)
"""In full longer than to connect and the ten seconds that the head of a request may take."""
INTERVAL_S = 0.5
"""Between two pieces of a slow client."""
CONNECTIONS_PER_S = 200
"""How fast the attack connects."""
RECEIVE_BYTES = 2_048
RESET = b"reset"
"""Of a client that sent on just when it was answered; what it has not read then is lost, as TCP has it."""
FEW = CONNECTIONS // 100
MAX_GROWTH_BYTES = 100 * MEBIBYTE
PIPELINED = 3
"""Requests of a slow reader, sent at once."""
LARGE = "/api/openapi.json"
RANGES = ",".join(["0-", *(f"5-{end}" for end in range(1_300))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowness:
    """What a client sends at once, what it adds again and again, and how many bytes it reads each time."""

    start: bytes
    piece: bytes = b""
    read: int = 0


@pytest.fixture
async def token(attacked: Gateway) -> str:
    """The token of a user."""
    return (await attacked.new_user()).token


async def connected(gateway: Gateway, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection of an attack, with a small buffer; its address is that of `PER_ADDRESS` of them."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    client.setblocking(False)
    client.bind((f"127.0.66.{1 + number // PER_ADDRESS}", 0))
    await asyncio.get_running_loop().sock_connect(client, (gateway.host, gateway.port))
    return await asyncio.open_connection(sock=client, limit=RECEIVE_BYTES)


class Attack:
    """Slow clients until the attack is over or the gateway ends their connections."""

    def __init__(self, gateway: Gateway, slowness: Slowness) -> None:
        self._gateway = gateway
        self._slowness = slowness
        self.answers: Counter[bytes] = Counter()
        """What the gateway said, by the status code, empty for nothing, to those whose connections it ended."""
        self.held_s: list[float] = []
        """How long each connection was open."""

    async def run(self) -> None:
        """All clients together."""
        end = time.monotonic() + SECONDS
        await asyncio.gather(*(self._client(number, end) for number in range(CONNECTIONS)))

    async def _client(self, number: int, end: float) -> None:
        await asyncio.sleep(number / CONNECTIONS_PER_S)
        reader, writer = await connected(self._gateway, number)
        started = time.monotonic()
        try:
            writer.write(self._slowness.start)
            while time.monotonic() < end and not writer.is_closing() and not reader.at_eof():
                await asyncio.sleep(INTERVAL_S)
                writer.write(self._slowness.piece)
                if self._slowness.read:
                    await reader.read(self._slowness.read)
            if reader.at_eof() or writer.is_closing():
                self.answers[await status_of(reader)] += 1
        finally:
            self.held_s.append(time.monotonic() - started)
            await abort(writer)


async def status_of(reader: asyncio.StreamReader) -> bytes:
    """The status code of what was read of an answer; `RESET` for a connection whose answer the kernel took back."""
    try:
        return (await reader.read())[9:12]
    except ConnectionError:
        return RESET


def slownesses(token: str) -> dict[str, Slowness]:
    """The modes that hold a connection open; a slow reader has three requests pipelined."""
    body = wire("POST", LIST, token, *JSON, "Content-Length: 60000")
    return {
        "headers": Slowness(start=wire("GET", LIST, token)[:-2], piece=b"X-A: b\r\n"),
        "body": Slowness(start=body + b'{"label":"', piece=b"a"),
        "read": Slowness(start=wire("GET", LARGE, "") * PIPELINED, read=32),
    }


@pytest.mark.parametrize("mode", ["headers", "body", "read"])
async def test_slow_clients_are_borne_and_another_is_served(
    attacked: Gateway, token: str, figure: Figure, mode: str
) -> None:
    """Every connection is taken and held; one whose head takes too long is answered with 408."""
    attack = Attack(attacked, slownesses(token)[mode])
    listed = wire("GET", LIST, token, "Connection: close")
    async with unharmed(attacked, listed, figure, max_growth_bytes=MAX_GROWTH_BYTES):
        await attack.run()

    assert len(attack.held_s) == CONNECTIONS
    assert min(attack.held_s) > 1
    reset = attack.answers.pop(RESET, 0)
    ended_in_time = {b"408": CONNECTIONS - reset} if FULL and mode == "headers" else {}
    assert attack.answers == ended_in_time
    assert reset <= FEW


async def test_a_thousand_ranges_are_one_answer(attacked: Gateway, token: str, figure: Figure) -> None:
    """A request of overlapping ranges gets the whole, once; the connections are open at the same time.

    What would have to wait too long is refused.
    """
    listed = wire("GET", LIST, token, "Connection: close")
    whole = wire("GET", LARGE, "", f"Range: bytes={RANGES}", "Connection: close")
    lengths: Counter[tuple[bytes, int]] = Counter()
    async with unharmed(attacked, listed, figure, max_growth_bytes=MAX_GROWTH_BYTES), AsyncExitStack() as stack:
        pairs = [await connected(attacked, number) for number in range(CONNECTIONS)]
        for _, writer in pairs:
            stack.push_async_callback(abort, writer)
        for _, writer in pairs:
            writer.write(whole)
        for reader, _ in pairs:
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            lengths[head[9:12], len(body)] += 1

    served = [length for status, length in lengths if status == b"200"]
    assert len(served) == 1
    assert served[0] > 10_000
    assert {status for status, _ in lengths} <= {b"200", b"503"}
