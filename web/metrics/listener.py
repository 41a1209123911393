"""`/metrics` on a port of its own: a small HTTP server that knows this one path, for the operator's network."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

HEAD_BYTES = 8_192
HEAD_S = 5.0
"""How long a client may take to send the head of its request."""
_PATH = b"/metrics"


@asynccontextmanager
async def serving_metrics(
    host: str, port: int, text: Callable[[], Awaitable[tuple[bytes, str]]]
) -> AsyncIterator[None]:
    """Serve what `text` gives, with its media type, while the context is open.

    Several processes may do so on the same port: each connection is of one of them. Raises `OSError`.
    """
    options = {"reuse_port": True} if hasattr(socket, "SO_REUSEPORT") else {}
    server = await asyncio.start_server(lambda r, w: _answer(r, w, text), host, port, limit=HEAD_BYTES, **options)
    try:
        yield
    finally:
        server.close()


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: Callable[[], Awaitable[tuple[bytes, str]]]
) -> None:
    try:
        async with asyncio.timeout(HEAD_S):
            head = await reader.readuntil(b"\r\n\r\n")
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path.rstrip(b"/") != _PATH:
            status, body, media_type = "404 Not Found", b"/metrics is here.\n", "text/plain"
        elif method not in (b"GET", b"HEAD"):
            status, body, media_type = "405 Method Not Allowed", b"GET /metrics.\n", "text/plain"
        else:
            status, (body, media_type) = "200 OK", await text()
        fields = f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\nConnection: close"
        writer.write(f"HTTP/1.1 {status}\r\n{fields}\r\n\r\n".encode() + (b"" if method == b"HEAD" else body))
        await writer.drain()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
