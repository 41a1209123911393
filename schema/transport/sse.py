"""Responses as server-sent events, one connection per operation (GraphQL over SSE, distinct connections mode)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

KEEP_ALIVE_S = 12.0
SEND_S = 30.0
_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


class EventStream(Response):
    """Sends every answer as a `next` event and `complete` at the end; ends if the client takes nothing for `SEND_S`."""

    def __init__(self, answers: AsyncGenerator[Any, None]) -> None:
        super().__init__(headers=_HEADERS)
        self._answers = answers
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            results = await asyncio.gather(sending, leaving, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, TimeoutError):
                raise result

    async def _send_all(self, send: Send) -> None:
        async with aclosing(_with_pauses(self._answers)) as answers:
            async for answer in answers:
                await _send_in_time(send, b":\n\n" if answer is None else b"event: next\ndata: %s\n\n" % _text(answer))
        await _send_in_time(send, b"event: complete\ndata: \n\n")
        await send({"type": "http.response.body", "body": b""})


async def _with_pauses(answers: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """The answers, and None after each `KEEP_ALIVE_S` without one, so that proxies do not close an idle connection."""
    pending: asyncio.Task[Any] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(answers))
            done, _ = await asyncio.wait((pending,), timeout=KEEP_ALIVE_S)
            if not done:
                yield None
                continue
            finished, pending = pending, None
            try:
                answer = finished.result()
            except StopAsyncIteration:
                return
            yield answer
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
        await answers.aclose()


def _text(answer: Any) -> bytes:
    return orjson.dumps(answer)


async def _send_in_time(send: Send, body: bytes) -> None:
    async with asyncio.timeout(SEND_S):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
