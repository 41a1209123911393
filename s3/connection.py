"""Requests and bounded answers between one check and one store, over one connection at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpcore

from models.checks.report import CheckCode
from s3.address_policy import Address
from s3.dialer import Network
from s3.endpoint import Location
from s3.signature_v4 import Request
from s3.steps import Stumbled

MAX_HEAD_BYTES = 16_384
MAX_ANSWER_BYTES = 65_536
"""Of one answer as it comes from the wire, its head included; no more than that is read."""

MAX_PARTS = 512
"""Chunks of one answer: ten thousand of a byte each would take the parser a tenth of a second."""

_UNSIGNED = {"user-agent": "moorings-check", "accept-encoding": "identity"}
_BROKEN = (httpcore.NetworkError, httpcore.RemoteProtocolError, OSError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a store answered; `is_whole` says whether it ended within the limit. Names of headers are small."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool


class _TooLarge(Exception):
    """More came than is read of an answer."""


class _Metered(httpcore.AsyncNetworkStream):
    """A connection that reads no more bytes than it was allowed to."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self.allowed = 0
        self.received = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        if self.received >= self.allowed:
            raise _TooLarge
        data = await self._stream.read(min(max_bytes, self.allowed - self.received), timeout)
        self.received += len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Conversation:
    """All that one check says to one store, at addresses that were judged; whatever goes wrong is a `Stumbled`."""

    def __init__(self, network: Network, location: Location, addresses: Sequence[Address]) -> None:
        self._network = network
        self._location = location
        self._addresses = addresses
        self._stream: httpcore.AsyncNetworkStream | None = None
        self._kept: tuple[httpcore.AsyncHTTP11Connection, _Metered] | None = None

    def another(self) -> Conversation:
        """A new one with the same store at the same addresses."""
        return Conversation(self._network, self._location, self._addresses)

    async def connect(self) -> httpcore.AsyncNetworkStream:
        """Open a connection, in place of the one there was."""
        await self.aclose()
        self._stream = await self._network.connect(self._addresses, self._location.port)
        return self._stream

    async def encrypt(self, stream: httpcore.AsyncNetworkStream) -> httpcore.AsyncNetworkStream:
        """Put TLS on the connection that was just opened."""
        self._stream = await self._network.encrypt(stream, self._location.host)
        return self._stream

    async def exchange(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """Send a request with these headers and read its answer.

        A connection that the store closed meanwhile is opened anew: all our requests may be repeated.
        """
        while True:
            is_new = self._kept is None
            connection, meter = self._kept or await self._ready()
            self._kept = None
            try:
                answer = await _ask(connection, meter, self._wired(request, headers))
                self._kept = (connection, meter) if connection.is_available() else None
            except _BROKEN:
                if is_new or meter.received:
                    raise Stumbled(CheckCode.UNEXPECTED_ANSWER) from None
            else:
                return answer
            finally:
                if self._kept is None:
                    await self.aclose()

    async def aclose(self) -> None:
        """Close the connection."""
        stream, self._stream, self._kept = self._stream, None, None
        if stream is not None:
            await stream.aclose()

    async def _ready(self) -> tuple[httpcore.AsyncHTTP11Connection, _Metered]:
        """A connection that nothing was said on."""
        stream = self._stream
        if stream is None:
            stream = await self.connect()
            if self._location.scheme == "https":
                stream = await self.encrypt(stream)
        meter = _Metered(stream)
        return httpcore.AsyncHTTP11Connection(origin=self._url("/").origin, stream=meter), meter

    def _wired(self, request: Request, headers: Mapping[str, str]) -> httpcore.Request:
        sent = {**_UNSIGNED, **headers}
        if request.body:
            sent["content-length"] = str(len(request.body))
        return httpcore.Request(
            request.method, self._url(request.target), headers=list(sent.items()), content=request.body
        )

    def _url(self, target: str) -> httpcore.URL:
        place = self._location
        return httpcore.URL(scheme=place.scheme, host=place.host, port=place.port, target=target)


async def _ask(connection: httpcore.AsyncHTTP11Connection, meter: _Metered, request: httpcore.Request) -> Answer:
    """One request and as much of its answer as is read; the connection stays open only behind a whole one."""
    meter.received, meter.allowed = 0, MAX_HEAD_BYTES
    parts: list[bytes] = []
    is_whole = True
    try:
        response = await connection.handle_async_request(request)
    except _TooLarge:
        raise Stumbled(CheckCode.UNEXPECTED_ANSWER) from None
    meter.allowed = MAX_ANSWER_BYTES
    try:
        async for part in response.aiter_stream():
            parts.append(part)
            if len(parts) == MAX_PARTS:
                raise _TooLarge
    except _TooLarge:
        is_whole = False
    await response.aclose()
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return Answer(status=response.status, headers=headers, body=b"".join(parts), is_whole=is_whole)
