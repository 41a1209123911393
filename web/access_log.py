"""One line of the log for each request: who asked for what from where, what came of it, and how long it took.

A line costs a few microseconds: it is formatted at once, and written together with those of the same tenth of a second.
No client can write into it: a method is one of the known ones, and a path has its segments only as far as they are
short names in lower case or numbers, since a mistaken client may put anything into it, a token too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter, time
from typing import Any

import orjson
from starlette.types import Message, Scope, Send

from models.short_memo import memo_of_short
from web.http.websocket_texts import TEXTS
from web.request_state import RequestState, request_state

FLUSH_S = 0.1
MAX_WRITE_BYTES = 4_096
"""Written at once: what a pipe takes as a whole, however many processes write into it (PIPE_BUF of Linux)."""
MAX_UNWRITTEN_BYTES = 65_536
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_SEGMENTS = 12
HIDDEN = "*"
"""In the place of a segment of a path that is not shown."""
_SHOWN_PATH = re.compile(r"(?:/[a-z0-9._-]{0,24}){1,12}")
_SHOWN_SEGMENT = re.compile(r"[a-z0-9._-]{0,24}")


class AccessLog:
    """The lines of one process."""

    def __init__(self, write: Callable[[bytes], None], *, as_json: bool) -> None:
        """`write` takes whole lines, at most `MAX_WRITE_BYTES` of them unless one alone is longer."""
        self._write = write
        self._line_of = _json_line if as_json else _text_line
        self._lines: list[bytes] = []
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, state: RequestState, method: str, path: str, *, status: int | None, took_s: float, sent: int) -> None:
        """Add the line of a request; `path` is as `shown_path` has it, `sent` the bytes of the response's body."""
        viewer = state.viewer
        line = self._line_of(
            {
                "request_id": state.request_id.decode("ascii"),
                "method": method if method in METHODS else "OTHER",
                "path": path,
                "status": status,
                "duration_ms": round(took_s * 1000, 2),
                "bytes": sent,
                "address": state.address or None,
                "user_id": None if viewer is None else viewer.user_id,
                "token_id": None if viewer is None else viewer.token_id,
                "protocol": None if viewer is None else viewer.protocol.value,
            }
        )
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes > MAX_UNWRITTEN_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        """Write every line there is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines, self._bytes = self._lines, [], 0
        piece: list[bytes] = []
        size = 0
        for line in lines:
            if piece and size + len(line) > MAX_WRITE_BYTES:
                self._write(b"".join(piece))
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        if piece:
            self._write(b"".join(piece))

    def begin(self, scope: Scope, send: Send) -> LoggedAnswer:
        """The answer to a request, or to what a WebSocket is sent; its line is added when it has ended."""
        return LoggedAnswer(self, scope, send)


class LoggedAnswer:
    """Sends an answer, and notes what the log says of it; an ASGI application has it in the place of `send`."""

    __slots__ = ("_log", "_scope", "_send", "_sent", "_started", "_status")

    def __init__(self, log: AccessLog, scope: Scope, send: Send) -> None:
        self._log = log
        self._scope = scope
        self._send = send
        self._started = perf_counter()
        self._status: int | None = None
        self._sent = 0

    async def __call__(self, message: Message) -> None:
        """Send a message."""
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self._status = message["status"]
            case "http.response.body" | "websocket.http.response.body":
                self._sent += len(message.get("body", b""))
            case "websocket.accept":
                self._status = 101
            case "websocket.close" if self._status is None:
                self._status = 403
            case "websocket.send":
                texts = message.get(TEXTS) or (message.get("bytes") or message.get("text") or b"",)
                self._sent += sum(map(len, texts))
        await self._send(message)

    def end(self) -> None:
        """Add the line."""
        method = self._scope.get("method", "GET")  # which a WebSocket begins with
        self._log.add(
            request_state(self._scope),
            method,
            shown_path(self._scope["path"], _route_of(self._scope)),
            status=self._status,
            took_s=perf_counter() - self._started,
            sent=0 if method == "HEAD" else self._sent,
        )


def _route_of(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "")


def shown_path(path: str, route: str = "") -> str:
    """A path as the log has it. One that is a route, with nothing of a client's in it, is shown as it is."""
    return path if path == route and "{" not in route else _shown(path)


@memo_of_short(1_024, 256)
def _shown(path: str) -> str:
    if _SHOWN_PATH.fullmatch(path):
        return path
    segments = path.split("/")[1:]
    shown = [segment if _SHOWN_SEGMENT.fullmatch(segment) else HIDDEN for segment in segments[:MAX_SEGMENTS]]
    return "/" + "/".join([*shown, HIDDEN] if len(segments) > MAX_SEGMENTS else shown)


def _json_line(fields: dict[str, Any]) -> bytes:
    now = datetime.fromtimestamp(time(), UTC).isoformat(timespec="milliseconds")
    head = {"time": now, "level": "INFO", "logger": "moorings.access", "message": "request"}
    return orjson.dumps({**head, **fields}, option=orjson.OPT_APPEND_NEWLINE)


def _text_line(fields: dict[str, Any]) -> bytes:
    now = datetime.fromtimestamp(time()).strftime("%H:%M:%S")  # noqa: DTZ006 - as the other lines, in local time
    values = " ".join([f"{name}={'-' if value is None else value}" for name, value in fields.items()])
    return f"{now} INFO    request {values}\n".encode()
