"""The short way to the doors: a small request that comes whole is answered whole, without the layers around everything.

Each of those layers wraps what the next one sends, and uvicorn looks at every header once more; of a kept answer that
is half of the work. The lane does in one step what they do: it lets in only what none of them would stop, and adds what
all of them would add. What is not plain - a stream, HEAD, a body in chunks or a large one, a header given twice - goes
the usual way, and so does everything of a gateway that answers pages of other origins.
The two give the same answers, byte for byte: `tests/web/fast_path/test_fast_lane.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from web.auth.authenticator import Doorkeeper
from web.cache.response_cache import ResponseCache
from web.fast_path.prepared_requests import SeenRequest, SeenRequests
from web.metrics.metrics import Metrics
from web.middleware.allowed_hosts import Hosts
from web.middleware.errors import Handlers

LARGEST_BODY = 65_536
"""In bytes; a larger one is read piece by piece on the usual way, where the reader slows the sender down."""

_ITEM = "/{id}"
_STREAMED = b"text/event-stream"
_NOT_PLAIN = frozenset({b"transfer-encoding", b"expect", b"upgrade"})
_LONGEST_ID = 19
_SAID = (
    *("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path", "state"),
    *("way", "route", "path_params"),
)
"""What of a scope follows from the request alone, and not from the connection."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """Routes whose answers are whole, and who lets in there."""

    routes: Sequence[BaseRoute]
    doorkeeper: Doorkeeper


class Way(NamedTuple):
    """Where a request goes: the route it counts for, what the path says, and who lets in there."""

    route: Route
    params: Mapping[str, str]
    doorkeeper: Doorkeeper


class FastLane:
    """Knows which requests may take the short way, and what those that do have in common."""

    def __init__(
        self,
        doors: Sequence[Door],
        *,
        hosts: Hosts,
        handlers: Handlers,
        metrics: Metrics,
        cache: ResponseCache,
        max_body_bytes: int,
        trusted_proxies: Sequence[str],
    ) -> None:
        self._exact: dict[bytes, Way] = {}
        self._items: dict[bytes, Way] = {}
        for door in doors:
            self._add(door)
        self._hosts = hosts
        self._largest_body = min(LARGEST_BODY, max_body_bytes)
        self.handlers = handlers
        self.metrics = metrics
        self.cache = cache
        proxies = list(trusted_proxies)
        # As on the usual way, these are believed what they say of the client and the scheme.
        self.enter: Any = ProxyHeadersMiddleware(_enter, proxies) if proxies else _enter  # type: ignore[arg-type]
        can_tell_at_once = all(door.doorkeeper.admits_at_once for door in doors)
        self.seen = SeenRequests() if can_tell_at_once and not proxies else None

    def _add(self, door: Door) -> None:
        for route in door.routes:
            if isinstance(route, Route):
                way = Way(route, {}, door.doorkeeper)
                if not route.param_convertors:
                    self._exact[route.path.encode()] = way
                elif route.path.endswith(_ITEM):
                    self._items[route.path.removesuffix("{id}").encode()] = way

    def way(self, method: bytes, path: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Way | None:
        """The way of a request, judged by its head; None when it has to take the usual one."""
        way = self._exact.get(path) or self._way_to_item(path)
        if way is None or method == b"HEAD" or (way.route.methods and method.decode() not in way.route.methods):
            return None
        given = dict(headers)
        if (
            len(given) != len(headers)
            or not _NOT_PLAIN.isdisjoint(given)
            or not self._hosts.allow(given.get(b"host", b""))
            or _STREAMED in given.get(b"accept", b"")
        ):
            return None
        length = given.get(b"content-length", b"0")
        return way if length.isdigit() and len(length) < 8 and int(length) <= self._largest_body else None

    def remember(self, wire: bytes, scope: Scope, body: bytes) -> None:
        """Remember what the bytes of a request meant, if it was a read."""
        if self.seen is not None and "is_read" in scope and "wording" in scope:
            unsaid = {name: scope[name] for name in _SAID}
            if "params" in scope:
                unsaid["params"] = scope["params"]
            unsaid["headers"] = [header for header in scope["headers"] if header[0] != b"authorization"]
            self.seen.remember(
                wire,
                SeenRequest(
                    scope=unsaid,
                    body=body,
                    doorkeeper=scope["way"].doorkeeper,
                    bearer=scope["bearer"],
                    wording=scope["wording"],
                    reading=scope.get("reading"),
                ),
            )

    def note_write(self, scope: Scope) -> None:
        """Note that somebody may have written, if the request was no read."""
        if self.seen is not None and "is_read" not in scope and "viewer" in scope:
            self.seen.note_write(scope["viewer"].user_id)

    def _way_to_item(self, path: bytes) -> Way | None:
        base, separator, id_ = path.rpartition(b"/")
        way = self._items.get(base + separator)
        if way is None or not id_.isdigit() or len(id_) > _LONGEST_ID:
            return None
        return way._replace(params={"id": id_.decode()})


def _enter(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    """Hand the request to the route it was given."""
    app: ASGIApp = scope["route"].app
    return app(scope, receive, send)
