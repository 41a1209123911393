"""What the layers know of one request: the only thing of this project in an ASGI scope, under one key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from starlette.types import ASGIApp, Scope

from models.accounts.abilities import Ability
from models.accounts.viewer import Viewer
from models.errors import Quota
from models.tracing.spans import NO_ATTRIBUTES, Attributes, Span
from web.request_id import given_request_id, new_request_id

if TYPE_CHECKING:
    from web.cache.cache_key import CacheKey, RequestKey
    from web.cache.cached_response import CachedResponse
    from web.compression.accept_encoding import Wanted
    from web.fast_path.preparation_key import PreparationKey

KEY = "moorings"
"""Of the ASGI scope."""

Headers = tuple[tuple[bytes, bytes], ...]


class PreparedRead(Protocol):
    """A read whose request was parsed, routed and validated: it can be executed for any viewer, any number of times."""

    @property
    def headers(self) -> Headers:
        """The headers of a successful response, without its length."""
        ...

    @property
    def ability(self) -> Ability | None:
        """What the viewer's token must allow; None where the fields of the response decide."""
        ...

    @property
    def shows_checks(self) -> bool:
        """Whether a check that finds nothing new may change the response; see `ResponseCache.put`."""
        ...

    async def body(self, viewer: Viewer) -> bytes | None:
        """The body of a successful response; None when only the standard path can tell what the response is.

        Raises as the standard path does: `Refusal`, or anything unexpected.
        """
        ...


class ReadShape(Protocol):
    """What requests have in common that differ in nothing but the query of their URL and their body."""

    def prepare(self, query: bytes, body: bytes) -> PreparedRead | None:
        """The read that another request of this shape asks for, without a viewer; None where only the standard path can
        tell. Parses and looks up alone: its caller is not authenticated yet.
        """
        ...


class RequestState:
    """Filled in by the server, the fast path, authentication and the endpoint, each reading what came before."""

    __slots__ = (
        "address",
        "cache_key",
        "error",
        "is_confidential",
        "is_gone",
        "is_replayed",
        "is_traced",
        "preparation_key",
        "prepared_read",
        "rate_limit",
        "read_shape",
        "request_id",
        "request_key",
        "response",
        "rest",
        "span",
        "span_attributes",
        "viewer",
        "waits_elsewhere",
        "wanted",
        "when_gone",
        "when_resting",
    )

    def __init__(
        self, preparation_key: PreparationKey | None = None, request_id: bytes | None = None, address: str = ""
    ) -> None:
        """`preparation_key` is where the fast path may keep what the request is prepared to; None: nowhere.

        `request_id` is the one of a trusted proxy; without it the request gets a fresh one. `address` is the client's,
        empty where the server has not found it.
        """
        self.address = address
        self.request_id = new_request_id() if request_id is None else request_id
        self.preparation_key = preparation_key
        self.viewer: Viewer | None = None
        """Set by authentication."""
        self.rate_limit: Quota | None = None
        """Where the viewer's count stands, shown in the headers of every response."""
        self.error: Exception | None = None
        """What the fast path met: authentication raises it, so that the standard path words it."""
        self.is_replayed = False
        """Whether the fast path executed the prepared read, and it came to None."""
        self.response: CachedResponse | None = None
        """What the fast path has found or read; the standard path sends it, as the first of its kind."""
        self.request_key: RequestKey | None = None
        self.cache_key: CacheKey | None = None
        self.prepared_read: PreparedRead | None = None
        """Set by the endpoint of a read."""
        self.read_shape: ReadShape | None = None
        """Set with it, where other requests of the shape can be prepared without the standard path."""
        self.is_traced = False
        """Whether it was decided whether the request is traced."""
        self.span: Span | None = None
        """Of the request, from its beginning to its end; None where it is not traced."""
        self.span_attributes: Attributes = NO_ATTRIBUTES
        """What the endpoint adds to the span; the same for all requests that are prepared alike."""
        self.wanted: Wanted | None = None
        """The form of the answer that the client asks for; None where it does not say, or nothing is compressed."""
        self.is_confidential = False
        """Whether the answer may hold what is not compressed beside a client's text, such as a grant's signatures."""
        self.is_gone: bool | None = None
        """Whether the client has left; None where the server does not say so, but through `receive` alone."""
        self.when_gone: Callable[[], None] | None = None
        """Called by a server that says so, when the client leaves: a stream waits for that without a task."""
        self.rest: ASGIApp | None = None
        """Sends what follows the head of a stream, or serves a WebSocket that is accepted, once the layers around the
        endpoint have returned.
        """
        self.when_resting: Callable[[], None] | None = None
        """Called when `rest` begins: the server then lets go of what a long response does not need."""
        self.waits_elsewhere = False
        """Whether it waits for a store: it takes neither the processor nor the database, and no place of others."""

    def wait_elsewhere(self) -> None:
        """It waits for a store from now on."""
        self.waits_elsewhere = True


def set_request_state(scope: Scope, state: RequestState) -> None:
    """Begin a request with a state that the server has made."""
    scope[KEY] = state


def request_state(scope: Scope) -> RequestState:
    """The state of the request that a scope belongs to; made when there is none yet."""
    state: RequestState | None = scope.get(KEY)
    if state is None:
        # The server makes the state of HTTP requests; of a WebSocket it puts the request's id among the headers.
        given = given_request_id(scope["headers"]) if scope["type"] == "websocket" else None
        state = scope[KEY] = RequestState(None, given)
    return state


def viewer_of(scope: Scope) -> Viewer:
    """The viewer of an authenticated request."""
    viewer = request_state(scope).viewer
    assert viewer is not None  # noqa: S101 - authentication lets no request through without one
    return viewer
