"""One request on the fast lane: runs the door behind its route, and writes the answer in one piece."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Generator
from http import HTTPStatus
from time import perf_counter
from typing import Any, Protocol

from starlette.requests import ClientDisconnect
from starlette.types import Message, Scope

from models.error_report import report
from web.cache.cached_response import OK, KeptAnswer
from web.fast_path.fast_lane import FastLane
from web.http.header_encoding import SharedLines, head_of
from web.middleware.default_headers import completed
from web.middleware.errors import answer_to

logger = logging.getLogger("moorings.failures")

_CLOSE = b"connection: close\r\n"
_DEFAULTS = SharedLines()


class Connection(Protocol):
    """What a passage needs of the connection it stands in."""

    transport: asyncio.Transport
    server_state: Any
    tasks: set[asyncio.Task[None]]

    def on_response_complete(self) -> None:
        """Go on with the next request."""


class _Done:
    """What is awaited when there is nothing to wait for."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()


_DONE = _Done()


class Passage:
    """Stands where uvicorn has its `RequestResponseCycle`, and has what its protocol looks for there."""

    __slots__ = (
        *("_connection", "_is_read", "_lane", "_loop", "_scope", "_start", "_started"),
        *("body", "disconnected", "keep_alive", "response_complete", "task", "wire"),
    )

    def __init__(self, connection: Connection, lane: FastLane, scope: Scope) -> None:
        self._connection = connection
        self._lane = lane
        self._scope = scope
        self._started = perf_counter()
        self._start: Message | None = None
        self._is_read = False
        self.body = b""
        self.wire = b""
        """The bytes of the request, if they came in one piece by themselves, to be remembered."""
        self.disconnected = self.response_complete = False
        self.keep_alive = True

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer the request, whatever the connection does meanwhile; who stops the server waits for it."""
        self._loop = loop
        self._work(self._enter())

    @property
    def message_event(self) -> Passage:
        """What uvicorn sets when something has happened; nobody here waits for it."""
        return self

    def set(self) -> None:
        """See `message_event`."""

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        self.task = self._loop.create_task(self._answered(work))
        self._connection.tasks.add(self.task)

    async def _answered(self, work: Coroutine[Any, Any, None]) -> None:
        """Answer what goes wrong; a passage that ends without an answer takes the connection with it."""
        try:
            await work
        except ClientDisconnect:
            pass
        except Exception as error:  # noqa: BLE001 - answered, as `Failures` does
            if self.response_complete:
                report(error, logger)
            else:
                self._start = None
                answer = answer_to(error, self._scope, self._lane.handlers)
                await answer(self._scope, self.receive, self.send)
        finally:
            self._connection.tasks.discard(self.task)
            if not self.response_complete:
                self._connection.transport.close()

    async def _enter(self) -> None:
        await self._lane.enter(self._scope, self.receive, self.send)

    async def receive(self) -> Message:
        """The body, then nothing more."""
        if self._is_read:
            return {"type": "http.disconnect"}
        self._is_read = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    def send(self, message: Message) -> Awaitable[None]:
        """Keep the beginning of the answer until its body comes, then write both."""
        start = self._start
        if start is None:
            self._start = message
        elif not self.response_complete:
            status = start["status"]
            head = head_of(status, completed(start["headers"], self._scope))
            self._write(status, head, message["body"])
            if status == OK and self.wire:
                self._lane.remember(self.wire, self._scope, self.body)
            if status < HTTPStatus.MULTIPLE_CHOICES:
                self._lane.note_write(self._scope)
        return _DONE

    def _write_kept(self, kept: KeptAnswer) -> None:
        quota = self._scope["quota"]
        head = kept.head
        if quota is not None:
            head += b"x-ratelimit-limit: %d\r\nx-ratelimit-remaining: %d\r\n" % (quota.limit, quota.remaining)
        self._write(kept.sort.status, head, kept.body)

    def _count(self, status: int, took_s: float) -> None:
        self._lane.metrics.note(self._scope, status, took_s)

    def _write(self, status: int, head: bytes, body: bytes) -> None:
        connection = self._connection
        self._count(status, perf_counter() - self._started)
        self.response_complete = True
        if self.disconnected:
            return
        defaults = _DEFAULTS.of(connection.server_state.default_headers)
        if self.keep_alive:
            connection.transport.write(b"%s%s\r\n%s" % (head, defaults, body))
        else:
            connection.transport.write(b"%s%s%s\r\n%s" % (head, defaults, _CLOSE, body))
            connection.transport.close()
        connection.on_response_complete()
