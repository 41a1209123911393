"""HTTP over connections that are kept: one for each thread and server, no redirects, certificates of the system."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

TIMEOUT_S = 60.0
"""Of connecting, and of every read and write."""
BLOCK_BYTES = 1 << 20
MAX_ANSWER_BYTES = 16 << 20
"""Of a response that is read as a whole."""

TRANSIENT = (OSError, http.client.HTTPException)
"""What a connection raises that breaks, or does not come about; the request may be tried again."""


class Answer(NamedTuple):
    """A response that was read as a whole; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connections:
    """The connections of this process to any servers. Each thread has its own."""

    def __init__(self) -> None:
        self._tls: ssl.SSLContext | None = None
        self._of_thread = threading.local()

    def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Iterable[bytes] | None = None
    ) -> Answer:
        """Send a request and read its response; raises `TRANSIENT`."""
        with self.asking(method, url, headers, body) as response:
            return Answer(response.status, headers_of(response), _whole(response))

    @contextmanager
    def asking(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Iterable[bytes] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """The response to a request, to be read; a connection that it was not read from to its end is closed."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection, is_kept = self._connection(parts)
        response = None
        try:
            try:
                connection.request(method, target, body, dict(headers))
                response = connection.getresponse()
            except TRANSIENT as error:
                # A server closes an idle connection as it likes; and one that refuses early answers before it has read.
                response = _early(connection, error)
                if response is None:
                    if not is_kept or not (body is None or isinstance(body, bytes)):
                        raise
                    connection.close()
                    connection.request(method, target, body, dict(headers))
                    response = connection.getresponse()
            yield response
        finally:
            if response is None or not response.isclosed():
                connection.close()

    def _connection(self, parts: SplitResult) -> tuple[http.client.HTTPConnection, bool]:
        """The thread's connection to a server, and whether it was used before."""
        kept: dict[tuple[str, str], http.client.HTTPConnection] = self._of_thread.__dict__.setdefault("kept", {})
        key = parts.scheme, parts.netloc
        if key in kept:
            return kept[key], kept[key].sock is not None
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            self._tls = self._tls or ssl.create_default_context()
            kept[key] = http.client.HTTPSConnection(
                host, port, timeout=TIMEOUT_S, context=self._tls, blocksize=BLOCK_BYTES
            )
        else:
            kept[key] = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S, blocksize=BLOCK_BYTES)
        return kept[key], False


def headers_of(response: http.client.HTTPResponse) -> dict[str, str]:
    """The headers by their names in lower case."""
    return {name.lower(): value for name, value in response.getheaders()}


def _early(connection: http.client.HTTPConnection, error: Exception) -> http.client.HTTPResponse | None:
    """The response of a server that closed while the body was still sent; None where there is none."""
    if not isinstance(error, BrokenPipeError | ConnectionResetError) or connection.sock is None:
        return None
    with suppress(*TRANSIENT):
        response = http.client.HTTPResponse(connection.sock)
        response.begin()
        return response
    return None


def _whole(response: http.client.HTTPResponse) -> bytes:
    body = response.read(MAX_ANSWER_BYTES + 1)
    if len(body) > MAX_ANSWER_BYTES:
        raise http.client.HTTPException("an answer without an end")
    if not response.isclosed():
        response.read()
    return body
