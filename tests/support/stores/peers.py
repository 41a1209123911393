"""Scripted servers on loopback: stores that behave unusually, and servers that are no store."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import unquote

LISTING = b'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>'
Override = Callable[["ReceivedRequest"], Awaitable[bytes | None]]
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Peer:
    """A listener; `connections` counts the accepted ones."""

    port: int = 0
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def listening(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str | Sequence[str] = "127.0.0.1", port: int = 0
) -> AsyncIterator[Peer]:
    """A server that runs the script for every connection; those still open are cut at the end."""
    peer, running = Peer(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(reader, writer)
        finally:
            running.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in running:
            task.cancel()
        await server.wait_closed()


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A received request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])


async def next_request(reader: asyncio.StreamReader) -> ReceivedRequest:
    """The next request; raises `IncompleteReadError` when the client has disconnected."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return ReceivedRequest(method, target, headers, body)


def answer(status: str, body: bytes = b"", **headers: str) -> bytes:
    """A response in bytes; underscores in header names stand for dashes."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def error(status: str, code: str, inside: str = "", **headers: str) -> bytes:
    """An error response in the form of S3."""
    return answer(status, f"<Error><Code>{code}</Code><Message>hunter22</Message>{inside}</Error>".encode(), **headers)


def always(said: bytes) -> Script:
    """A script that sends every request the same response."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await next_request(reader)
            writer.write(said)
            await writer.drain()

    return script


@dataclass(slots=True)
class MemoryStore:
    """A store in memory. `override` may return another response to a request; None stands for the usual one."""

    override: Override | None = None
    closes: bool = False
    """Close the connection after every response."""

    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[ReceivedRequest] = field(default_factory=list)

    async def script(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See `listening`."""
        while True:
            asked = await next_request(reader)
            self.asked.append(asked)
            said = await self.override(asked) if self.override is not None else None
            writer.write(self._usual(asked) if said is None else said)
            await writer.drain()
            if self.closes:
                return

    def _usual(self, asked: ReceivedRequest) -> bytes:
        match asked.method:
            case "PUT":
                self.objects[asked.path] = asked.body
                return answer("200 OK")
            case "DELETE":
                self.objects.pop(asked.path, None)
                return answer("204 No Content")
            case _ if "list-type=2" in asked.target:
                return answer("200 OK", LISTING)
            case _ if asked.path in self.objects:
                return answer("200 OK", self.objects[asked.path])
        return error("404 Not Found", "NoSuchKey")


def region_of(asked: ReceivedRequest) -> str:
    """The region that a request was signed for."""
    return asked.headers["authorization"].split("/")[2]


def only_in(region: str, refusal: bytes) -> Override:
    """A store that sends `refusal` to requests signed for any other region."""

    async def override(asked: ReceivedRequest) -> bytes | None:
        return None if region_of(asked) == region else refusal

    return override
