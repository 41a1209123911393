"""A connection that stays open and asks thousands of times: an HTTP client without httpx's cost per request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tests.support.gateway.gateway import Gateway

HOST = "localhost"
"""What every gateway is called, so that their answers do not differ in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return orjson.loads(self.body)


class KeepAlive:
    """One connection to a gateway; one request at a time."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, target: str, token: str, *, json: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and read its whole answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._gateway.host, self._gateway.port)
        reader, writer = self._streams
        body = b"" if json is None else orjson.dumps(json)
        given = {"Host": HOST, "Authorization": f"Bearer {token}", **(headers or {})}
        if body:
            given |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        first, *others = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        received = {name.lower(): value for name, _, value in (line.partition(": ") for line in others if line)}
        status = int(first.split()[1])
        content = b"" if status == 304 else await reader.readexactly(int(received["content-length"]))
        return Answer(status=status, headers=received, body=content)

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
