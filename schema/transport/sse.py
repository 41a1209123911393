"""Responses as server-sent events, one connection per operation (GraphQL over SSE, distinct connections mode)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schema.execution.shared_responses import Responses
from web.application import application_of

KEEP_ALIVE_S = 12.0
SEND_S = 30.0
LAST_SEND_S = 1.0
"""How long the end of a stream may take when the process stops."""
_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


class EventStream(Response):
    """Sends every response as a `next` event, with the ID of what it tells of, and `complete` at the end.

    Ends if the client takes nothing for `SEND_S`. When the process stops, the response ends without `complete`: the
    operation is not over, and the client resumes it.
    """

    def __init__(self, responses: AsyncGenerator[Responses, None]) -> None:
        super().__init__(headers=_HEADERS)
        self._responses = responses
        self._is_quiet = True  # since the last pause
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send_all(send))
        stopping = asyncio.create_task(_until_stopped(scope))
        others = [stopping, asyncio.create_task(_until_gone(receive)), asyncio.create_task(self._keep_alive(send))]
        try:
            done, _ = await asyncio.wait((sending, *others), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *others):
                task.cancel()
            results = await asyncio.gather(sending, *others, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, TimeoutError):
                raise result
        if done == {stopping}:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_SEND_S):
                    await send({"type": "http.response.body", "body": b""})

    async def _send_all(self, send: Send) -> None:
        async with aclosing(self._responses) as all_responses:
            async for responses in all_responses:
                self._is_quiet = False
                await _send_in_time(send, _text(responses))
        await _send_in_time(send, b"event: complete\ndata: \n\n")
        await send({"type": "http.response.body", "body": b""})

    async def _keep_alive(self, send: Send) -> None:
        """Send a comment after a pause, so that proxies do not close an idle connection."""
        while True:
            self._is_quiet = True
            await asyncio.sleep(KEEP_ALIVE_S)
            if self._is_quiet:
                await _send_in_time(send, b":\n\n")


def _text(responses: Responses) -> bytes:
    if not responses.ids:
        return b"".join(b"event: next\ndata: %s\n\n" % text for text in responses.texts)
    pairs = zip(responses.ids, responses.texts, strict=True)
    return b"".join(b"id: %s\nevent: next\ndata: %s\n\n" % (id_.encode(), text) for id_, text in pairs)


async def _send_in_time(send: Send, body: bytes) -> None:
    async with asyncio.timeout(SEND_S):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_stopped(scope: Scope) -> None:
    """Wait until the process that serves the application ends its streams; without an application, forever."""
    application = application_of(scope["app"]) if "app" in scope else None
    await (asyncio.Event() if application is None else application.stopping.streams_end).wait()
