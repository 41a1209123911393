"""HTTP requests and size-limited responses between one check and one store, over one connection at a time."""

from __future__ import annotations

import ssl
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpcore

from models.checks.report import CheckCode, CheckHint, CheckStepName
from models.destinations.endpoint_url import EndpointUrl
from s3.address_policy import Address
from s3.dialer import Dialer
from s3.signature_v4 import Request
from s3.steps import StepFailed
from s3.tls.faults import chain_sent, reading_the_chain, wants_client_certificate

MAX_HEAD_BYTES = 16_384
"""Of the head of a response."""
MAX_RESPONSE_BYTES = 65_536
"""Of a whole response as it comes from the socket, the head included; the rest is not read."""

MAX_CHUNKS = 512
"""Of one response: ten thousand chunks of a byte each would take the parser a tenth of a second."""

_UNSIGNED = {"user-agent": "moorings-check", "accept-encoding": "identity"}
_GZIP_OR_ZLIB, _BARE_DEFLATE = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS
_FORMATS = {
    "gzip": (_GZIP_OR_ZLIB,),
    "x-gzip": (_GZIP_OR_ZLIB,),
    # RFC 9110, 8.4.1.2: some send it without the format of zlib around it.
    "deflate": (_GZIP_OR_ZLIB, _BARE_DEFLATE),
}
"""How zlib unpacks each content coding: the first of them that fits."""
_MAX_CODINGS = 2
_BROKEN = (httpcore.NetworkError, httpcore.RemoteProtocolError, OSError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """A store's response. Header names are in lower case; `is_whole` says that the body ended within the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool
    text: bytes = field(init=False, repr=False, compare=False)
    """The body as it is searched: in UTF-8 without its mark, and without the marks of CDATA sections."""

    def __post_init__(self) -> None:
        text = self.body
        if text.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            text = text.decode("utf-16", "replace").encode("utf-8", "replace")
        text = text.removeprefix(BOM_UTF8).replace(b"<![CDATA[", b"").replace(b"]]>", b"")
        object.__setattr__(self, "text", text)


class ConnectionBroken(StepFailed):
    """The store closed the connection before its response ended, or sent what is not HTTP."""


class _ResponseTooLarge(Exception):
    """A response is longer than is read of it."""


class _LimitedStream(httpcore.AsyncNetworkStream):
    """A stream that reads at most `allowed` bytes; `received` counts those that were read."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self.allowed = 0
        self.received = 0
        self._has_begun = False

    def expect_response(self) -> None:
        """Allow the head of one more response."""
        self.received, self.allowed, self._has_begun = 0, MAX_HEAD_BYTES, False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        while True:
            if self.received >= self.allowed:
                raise _ResponseTooLarge
            data = await self._stream.read(min(max_bytes, self.allowed - self.received), timeout)
            self.received += len(data)
            if self._has_begun or not data:
                return data
            # Some servers send an empty line too many after the body of the last response (RFC 9112, 2.2).
            data = data.lstrip(b"\r\n")
            if data:
                self._has_begun = True
                return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class StoreConnection:
    """The connection of one check to one store, at addresses the policy allows; failures are `StepFailed`."""

    def __init__(
        self,
        dialer: Dialer,
        server: EndpointUrl,
        addresses: Sequence[Address],
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`trust` is a client whose authorities are trusted beside the dialer's."""
        self._dialer = dialer
        self._server = server
        self._addresses = addresses
        self._trust = trust
        self._stream: httpcore.AsyncNetworkStream | None = None
        self._idle: tuple[httpcore.AsyncHTTP11Connection, _LimitedStream] | None = None

    def renewed(self) -> StoreConnection:
        """A new one, not opened yet, to the same store at the same addresses."""
        return StoreConnection(self._dialer, self._server, self._addresses, self._trust)

    async def connect(self) -> httpcore.AsyncNetworkStream:
        """Open a connection, in place of the one that is open."""
        await self.aclose()
        self._stream = await self._dialer.connect(self._addresses, self._server.port)
        return self._stream

    async def encrypt(self, stream: httpcore.AsyncNetworkStream) -> httpcore.AsyncNetworkStream:
        """Start TLS on the stream that `connect` returned, or on a new one by the dialer's own authorities."""
        try:
            self._stream = await self._dialer.encrypt(stream, self._server.host, self._trust)
        except StepFailed as failure:
            if self._trust is None or failure.code is not CheckCode.CERTIFICATE_UNTRUSTED:
                raise
            self._trust = None
            self._stream = await self._dialer.encrypt(await self.connect(), self._server.host)
        return self._stream

    async def chain_sent(self) -> list[bytes]:
        """The certificates that the store sends, in DER: of a connection of their own, on which nothing is sent."""
        stream = await self._dialer.encrypt(await self.connect(), self._server.host, reading_the_chain())
        self._stream = stream
        connection = stream.get_extra_info("ssl_object")
        return chain_sent(connection) if isinstance(connection, ssl.SSLObject) else []

    async def send(self, request: Request, headers: Mapping[str, str]) -> Response:
        """Send a request with these headers and read the response.

        Where the store closed an idle connection the request is sent again over a new one: all requests of a check
        are idempotent.
        """
        while True:
            is_new = self._idle is None
            connection, stream = self._idle or await self._opened()
            self._idle = None
            try:
                response = await _exchange(connection, stream, self._http_request(request, headers))
                self._idle = (connection, stream) if connection.is_available() else None
            except _BROKEN as error:
                if wants_client_certificate(error):
                    wanted = CheckHint.CLIENT_CERTIFICATE
                    raise StepFailed(CheckCode.TLS_FAILED, step=CheckStepName.TLS, hint=wanted) from None
                if is_new or stream.received:
                    raise ConnectionBroken(CheckCode.UNEXPECTED_ANSWER) from None
            else:
                return response
            finally:
                if self._idle is None:
                    await self.aclose()

    async def aclose(self) -> None:
        """Close the connection."""
        stream, self._stream, self._idle = self._stream, None, None
        if stream is not None:
            await stream.aclose()

    async def _opened(self) -> tuple[httpcore.AsyncHTTP11Connection, _LimitedStream]:
        """A connection on which no request was sent."""
        stream = self._stream
        if stream is None:
            stream = await self.connect()
            if self._server.scheme == "https":
                stream = await self.encrypt(stream)
        limited = _LimitedStream(stream)
        return httpcore.AsyncHTTP11Connection(origin=self._url("/").origin, stream=limited), limited

    def _http_request(self, request: Request, headers: Mapping[str, str]) -> httpcore.Request:
        sent = {**_UNSIGNED, **headers}
        if request.body:
            sent["content-length"] = str(len(request.body))
        return httpcore.Request(
            request.method, self._url(request.target), headers=list(sent.items()), content=request.body
        )

    def _url(self, target: str) -> httpcore.URL:
        server = self._server
        return httpcore.URL(scheme=server.scheme, host=server.host, port=server.port, target=target)


async def _exchange(
    connection: httpcore.AsyncHTTP11Connection, stream: _LimitedStream, request: httpcore.Request
) -> Response:
    """Send a request and read its response up to the limits; the connection stays open only after a whole one."""
    stream.expect_response()
    chunks: list[bytes] = []
    is_whole = True
    try:
        response = await connection.handle_async_request(request)
    except _ResponseTooLarge:
        raise StepFailed(CheckCode.UNEXPECTED_ANSWER) from None
    stream.allowed = MAX_RESPONSE_BYTES
    try:
        async for chunk in response.aiter_stream():
            chunks.append(chunk)
            if len(chunks) == MAX_CHUNKS:
                raise _ResponseTooLarge
    except _ResponseTooLarge:
        is_whole = False
    await response.aclose()
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    body, is_all = decoded(b"".join(chunks), headers.get("content-encoding", ""))
    return Response(status=response.status, headers=headers, body=body, is_whole=is_whole and is_all)


def decoded(body: bytes, encoding: str) -> tuple[bytes, bool]:
    """The body as it was before a proxy compressed it, though nothing else than `identity` was asked for.

    `encoding` is the value of Content-Encoding. At most MAX_RESPONSE_BYTES of the body; the second value says whether
    that is all.
    """
    codings = [coding for coding in encoding.lower().replace(" ", "").split(",") if coding in _FORMATS]
    is_all = True
    for coding in reversed(codings[-_MAX_CODINGS:]):
        for format_ in _FORMATS[coding]:
            unpacking = zlib.decompressobj(wbits=format_)
            try:
                body = unpacking.decompress(body, MAX_RESPONSE_BYTES)
            except zlib.error:
                continue
            is_all = is_all and unpacking.eof
            break
    return body, is_all
