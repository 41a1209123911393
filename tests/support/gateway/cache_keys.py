"""Cache keys as the application makes them, and what is sent for a cached response."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Message, Scope

from models.accounts.abilities import Ability
from models.accounts.viewer import Protocol, Viewer
from web.cache.cache_key import CacheKey, condition_of
from web.cache.cached_response import CachedResponse
from web.cache.response_cache import ResponseCache

HEADERS = ((b"content-type", b"application/json"), (b"vary", b"Accept"))
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


def scope_of(**changes: Any) -> Scope:
    """The scope of a GET of the list; `headers` are pairs of text, added to a Host."""
    headers = [("host", "gateway"), *changes.pop("headers", ())]
    scope: Scope = {"type": "http", "method": "GET", "scheme": "http", "path": LIST, "query_string": b"", **changes}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers]
    return scope


def key_of(cache: ResponseCache, viewer: Viewer = ADA, *, body: bytes = b"", **changes: Any) -> CacheKey:
    """The cache key of a request with the scope that `scope_of` makes."""
    return cache.key_of(viewer, scope_of(**changes), body)


def put(
    cache: ResponseCache,
    key: CacheKey,
    text: str = "an answer",
    condition: bytes = b"",
    *,
    shows_checks: bool = False,
) -> CachedResponse:
    """Keep a response."""
    return cache.put(key, HEADERS, text.encode(), condition, shows_checks=shows_checks)


def found(cache: ResponseCache, viewer: Viewer = ADA, *, body: bytes = b"", **changes: Any) -> CachedResponse | None:
    """What the cache has for a request with the scope that `scope_of` makes, its condition included."""
    scope = scope_of(**changes)
    return cache.get(cache.key_of(viewer, scope, body), condition_of(scope))


async def sent(app: ASGIApp | None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what is sent."""
    assert app is not None
    messages: list[Message] = []

    async def take(message: Message) -> None:
        messages.append(message)

    await app({"type": "http", "method": "GET"}, take, take)  # type: ignore[arg-type]  # nothing is received
    start, body = messages
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]
