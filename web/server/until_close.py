"""The response to a request of HTTP/1.0, which knows no chunks (RFC 9112, 6.1)."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class UntilCloseCycle(RequestResponseCycle):
    """A request and its response, which ends with the connection if it has no length (RFC 9112, 6.3).

    uvicorn would send chunks, whatever version the client speaks; nginx asks in HTTP/1.0 by default.
    """

    _has_length = True

    async def send(self, message: Any) -> None:
        """Send as uvicorn does, without framing where there is no length."""
        if not self.response_started and message["type"] == "http.response.start":
            self._has_length = any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
            if not self._has_length:
                self.chunked_encoding = False
        elif not self._has_length:
            self.expected_content_length = len(message.get("body", b""))  # as many as there are
        await super().send(message)
