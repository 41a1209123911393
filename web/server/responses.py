"""Writes an answer that is whole, head and body, in one piece; uvicorn looks at every header twice and writes twice.

Of a cached answer that is a fifth of the work. Whatever is not plain - a stream, HEAD, a connection that ends or is
held up - goes uvicorn's own way.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_OWN_WAY = frozenset({b"connection", b"transfer-encoding"})
_NO_BODY = frozenset({204, 304})


class WholeAnswers(RequestResponseCycle):
    """One request and its answer."""

    _start: Any = None
    """The beginning of an answer that says how long it is, kept until the rest comes."""

    async def send(self, message: Any) -> None:
        """As uvicorn's, an ASGI message at a time."""
        start = self._start
        if start is None:
            if self.response_started or not self._waits(message):
                await super().send(message)
            else:
                self._start = message
            return
        self._start = None
        if self.disconnected:
            return
        if not self._write(start, message):
            await super().send(start)
            await super().send(message)

    def _waits(self, message: Any) -> bool:
        """Whether it begins a plain answer whose length is known."""
        if message["type"] != "http.response.start" or message["status"] in _NO_BODY or self.scope["method"] == "HEAD":
            return False
        names = {name for name, _ in message["headers"]}
        return b"content-length" in names and names.isdisjoint(_OWN_WAY)

    def _write(self, start: Any, message: Any) -> bool:
        """Write both and end the answer; False, having written nothing, when that is uvicorn's affair."""
        body = message.get("body", b"")
        if message.get("more_body") or not self.keep_alive or self.flow.write_paused or self.access_log:
            return False
        parts = [STATUS_LINE[start["status"]]]
        headers = [*self.default_headers, *start["headers"]]
        for name, value in headers:
            if name == b"content-length" and value != b"%d" % len(body):
                return False  # told apart there
            parts += (name, b": ", value, b"\r\n")
        head = b"".join(parts)
        if head.count(b"\n") != len(headers) + 1 or head.count(b"\r") != len(headers) + 1 or b"\0" in head:
            return False  # refused there
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"".join((head, b"\r\n", body)))
        self.message_event.set()
        self.on_response()
        return True
