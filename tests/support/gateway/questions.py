"""Questions to a response cache as the application puts them, and what is sent for an answer."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message

from models.accounts.abilities import Ability
from models.accounts.viewer import Protocol, Viewer
from web.cache.cache_key import Question
from web.cache.response_cache import ResponseCache

LIST = "/api/backup-destinations"
ADA = Viewer(
    user_id=1,
    name="Ada",
    email="ada@example.com",
    abilities=frozenset({Ability.VIEW, Ability.CREATE}),
    protocol=Protocol.REST,
    revision=7,
    destination_count=3,
)


def asked(cache: ResponseCache, viewer: Viewer = ADA, *, body: bytes = b"", **changes: Any) -> Question:
    """A question; `headers` are pairs of text, added to a Host."""
    headers = [("host", "gateway"), *changes.pop("headers", ())]
    scope = {"type": "http", "method": "GET", "scheme": "http", "path": LIST, "query_string": b"", **changes}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers]
    return cache.question(viewer, scope, body)


def answer(text: str = "an answer") -> Response:
    """What a route found out."""
    return Response(text, headers={"vary": "Accept"}, media_type="application/json")


async def sent(app: ASGIApp | None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what is sent."""
    assert app is not None
    messages: list[Message] = []

    async def take(message: Message) -> None:
        messages.append(message)

    await app({"type": "http", "method": "GET"}, take, take)  # type: ignore[arg-type]  # nothing is received
    start, body = messages
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]
