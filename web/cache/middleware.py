"""The cache around REST's routes: reads are answered from what is known, and what a route answers is kept."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.cache.cache_key import READS, Question
from web.cache.cached_response import OK
from web.cache.response_cache import ResponseCache


class CachedReads:
    """Stands behind `Authentication`, which brings the viewer; whatever is no read passes by."""

    def __init__(self, app: ASGIApp, *, cache: ResponseCache) -> None:
        self._app = app
        self._cache = cache

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["method"] not in READS:
            return self._app(scope, receive, send)
        question = self._cache.question(scope["viewer"], scope)
        answer = self._cache.known(question)
        return self._find_out(question, scope, receive, send) if answer is None else answer(scope, receive, send)

    def _find_out(self, question: Question, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        start: Message | None = None

        async def send_and_keep(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == OK:
                start = message
            elif start is None:
                await send(message)
            else:  # in one piece, as every answer of these routes is; HEAD's too, whose body the server leaves out
                answer = self._cache.finish(question, start["headers"], message["body"])
                await answer(scope, receive, send)

        return self._app(scope, receive, send_and_keep)
