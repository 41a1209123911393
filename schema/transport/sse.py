"""Responses as server-sent events, one connection per operation (GraphQL over SSE, distinct connections mode)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Protocol

from starlette.types import Receive, Scope, Send

from schema.execution.shared_responses import Responses
from web.application import application_of
from web.request_state import request_state

KEEP_ALIVE_S = 12.0
TICKS = 12
"""How often within that time the streams are looked at."""
COMMENTS_AT_ONCE = 64
"""Sent in one turn of the event loop."""
SEND_S = 30.0
LAST_SEND_S = 1.0
"""How long the end of a stream may take when the process stops."""
_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)
_COMMENT = b":\n\n"


class OpenStreams:
    """The streams of one application. One task for all keeps the quiet ones alive, and ends them with the process."""

    def __init__(self) -> None:
        self._streams: set[EventStream] = set()
        self._watching: asyncio.Task[None] | None = None

    def add(self, stream: EventStream, all_end: asyncio.Event) -> None:
        """Look after a stream from now on; `all_end` is set when the process ends its streams."""
        self._streams.add(stream)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(all_end), name="open streams")

    def remove(self, stream: EventStream) -> None:
        """Look no longer after a stream."""
        self._streams.discard(stream)

    async def _watch(self, all_end: asyncio.Event) -> None:
        while self._streams and not all_end.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEP_ALIVE_S / TICKS):
                    await all_end.wait()
            await self._keep_alive()
        self._watching = None
        for stream in list(self._streams):
            stream.end_with_process()

    async def _keep_alive(self) -> None:
        """Send a comment in streams that are quiet, so that proxies do not close an idle connection."""
        since = asyncio.get_running_loop().time() - KEEP_ALIVE_S
        quiet = [stream for stream in self._streams if stream.sent_at <= since]
        for number, stream in enumerate(quiet, 1):
            stream.send_comment()
            if number % COMMENTS_AT_ONCE == 0:
                await asyncio.sleep(0)


class Closable(Protocol):
    """Responses that have to be closed: a generator, or something lighter."""

    def __aiter__(self) -> AsyncIterator[Responses]: ...

    def aclose(self) -> Awaitable[None]: ...


class EventStream:
    """Sends every response as a `next` event, with the ID of what it tells of, and `complete` at the end.

    Ends if the client takes nothing for `SEND_S`. When the process stops, the response ends without `complete`: the
    operation is not over, and the client resumes it. What follows the head is left to the application, which sends it
    when the layers around the endpoint have returned: each would hold memory for as long as the stream is open.
    """

    __slots__ = ("_commenting", "_ends_with_process", "_responses", "_send", "_sending", "_streams", "sent_at")

    def __init__(self, responses: Closable, streams: OpenStreams) -> None:
        self._responses = responses
        self._streams = streams
        self.sent_at = 0.0
        """When something was sent last, on the clock of the event loop."""
        self._sending: asyncio.Task[object] | None = None  # while it may be cancelled
        self._commenting: asyncio.Task[None] | None = None
        self._send: Send | None = None
        self._ends_with_process = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS]})
        if "app" in scope:
            state = request_state(scope)
            state.rest, state.preparation_key = self._send_rest, None
            scope["headers"].clear()  # which the connection holds, too
            scope["state"] = {}
        else:
            await self._send_rest(scope, receive, send)

    async def _send_rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        application = application_of(scope["app"]) if "app" in scope else None
        self._send, self._sending = send, asyncio.current_task()
        state, gone = request_state(scope), None
        if state.is_gone is None:
            gone = asyncio.create_task(_until_gone(receive), name="client of a stream")
            gone.add_done_callback(self._end)
        elif state.is_gone:
            return
        else:
            state.when_gone = self._end
        self._note_sent()
        self._streams.add(self, asyncio.Event() if application is None else application.stopping.streams_end)
        del scope, receive, application, state  # which the frame would hold
        try:
            try:
                async for responses in self._responses:
                    await self._send_in_time(_text(responses))
                    del responses
            finally:
                await self._responses.aclose()
            await self._send_in_time(b"event: complete\ndata: \n\n")
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            pass  # the client takes nothing
        except asyncio.CancelledError:
            if self._sending is not None:
                raise  # by another than `_end`
            current = asyncio.current_task()
            assert current is not None  # noqa: S101 - a coroutine runs in one
            current.uncancel()
        finally:
            self._sending = None
            self._streams.remove(self)
            await _cancelled(gone, self._commenting)
            self._send = None  # it leads to the request's state, which leads here
        if gone is not None and not gone.cancelled():
            gone.result()
        if self._ends_with_process:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_SEND_S):
                    await send({"type": "http.response.body", "body": b""})

    def end_with_process(self) -> None:
        """End the response, and not the operation."""
        self._ends_with_process = self._sending is not None
        self._end()

    def send_comment(self) -> None:
        """Send something that is no event, beside what else is sent."""
        if self._commenting is None and self._sending is not None:
            self._commenting = asyncio.create_task(self._comment(), name="comment in a stream")

    async def _comment(self) -> None:
        try:
            await self._send_in_time(_COMMENT)
        except TimeoutError:
            self._end()
        finally:
            self._commenting = None

    def _end(self, *_: object) -> None:
        """Send nothing more."""
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()

    async def _send_in_time(self, body: bytes) -> None:
        assert self._send is not None  # noqa: S101 - there is one before anything is sent
        self._note_sent()
        async with asyncio.timeout(SEND_S):
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    def _note_sent(self) -> None:
        self.sent_at = asyncio.get_running_loop().time()


def _text(responses: Responses) -> bytes:
    if not responses.ids:
        return b"".join(b"event: next\ndata: %s\n\n" % text for text in responses.texts)
    pairs = zip(responses.ids, responses.texts, strict=True)
    return b"".join(b"id: %s\nevent: next\ndata: %s\n\n" % (id_.encode(), text) for id_, text in pairs)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancelled(*tasks: asyncio.Task[None] | None) -> None:
    """Cancel what is not done, and wait for it."""
    begun = [task for task in tasks if task is not None]
    for task in begun:
        task.cancel()
    await asyncio.gather(*begun, return_exceptions=True)
