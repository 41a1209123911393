"""What the standard path made of a request, without its token: everything that a replay needs and nothing of a user."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from sys import getsizeof
from typing import Generic, TypeVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from models.errors import Quota
from models.tracing.spans import NO_ATTRIBUTES, Attributes
from web.auth.authenticator import Authenticator
from web.cache.cache_key import RequestKey
from web.cache.cached_response import CachedResponse
from web.cache.doorkeeper import Doorkeeper
from web.fast_path.preparation_key import Header, PreparationKey
from web.metrics.metrics import RequestCounter
from web.middleware.default_headers import LIMIT, REMAINING
from web.request_id import HEADER as REQUEST_ID
from web.request_state import PreparedRead

MAX_BYTES = 8 * 1024 * 1024
OVERHEAD_BYTES = 3_000
"""Memory of an entry besides its key's texts and the body in it, as measured."""

_SLOTS = {b"content-length": b"%d", b"etag": b"%s", LIMIT: b"%d", REMAINING: b"%d", REQUEST_ID: b"%s"}
"""The headers whose values differ from one response to the next, and how each is formatted."""


class ResponseHead:
    """The head of a response as the standard path sent it, with slots for what differs from one to the next."""

    __slots__ = ("_format", "_names", "counter", "route", "span_attributes", "status_line")

    def __init__(
        self,
        status: int,
        headers: Sequence[Header],
        counter: RequestCounter,
        *,
        route: str = "",
        span_attributes: Attributes = NO_ATTRIBUTES,
    ) -> None:
        """`headers` are all but the server's own; `counter` is what responses of this kind are counted in.

        `route` and `span_attributes` are for the spans of requests, where those are traced.
        """
        self.route = route
        self.span_attributes = span_attributes
        self.status_line = STATUS_LINE[status]
        self.counter = counter
        self._names = tuple(name for name, _ in headers if name in _SLOTS)
        lines = [
            b"%s: %s\r\n" % (name, _SLOTS[name] if name in _SLOTS else value.replace(b"%", b"%%"))
            for name, value in headers
        ]
        self._format = b"".join(lines) + b"\r\n"

    def lines(self, response: CachedResponse, rate_limit: Quota | None, request_id: bytes) -> bytes:
        """The header lines of a response and the empty one behind them."""
        values: list[int | bytes] = []
        for name in self._names:
            if name == b"content-length":
                values.append(len(response.body))
            elif name == REQUEST_ID:
                values.append(request_id)
            elif name == b"etag":
                values.append(response.tag)
            elif rate_limit is not None:
                values.append(rate_limit.limit if name == LIMIT else rate_limit.remaining)
        return self._format % tuple(values)


class PreparedRequest:
    """A read that can be replayed for any token."""

    __slots__ = ("authenticator", "heads", "read", "request_key")

    def __init__(self, read: PreparedRead, request_key: RequestKey, authenticator: Authenticator) -> None:
        self.read = read
        self.request_key = request_key
        self.authenticator = authenticator
        self.heads: dict[tuple[int, bool, bytes | None], ResponseHead] = {}
        """By status; by whether the rate limit is known, which with counts in Redis it may not be; and by the content
        coding, which is empty for none, and None where the client does not say what it accepts.
        """


Kept = TypeVar("Kept")


class PreparedRequests(Generic[Kept]):
    """Prepared requests of one process, or shapes of them, least recently used first, within some bytes.

    An entry is a request of whichever user, and serves all of them. Once they are full, what comes for the second time
    is kept: where nothing comes again, at ten times its size and beyond, a request costs a look at a table.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._doorkeeper = Doorkeeper(max_bytes // OVERHEAD_BYTES)
        self._entries: OrderedDict[PreparationKey, Kept] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._entries)

    def get(self, key: PreparationKey) -> Kept | None:
        """What the request was prepared to."""
        prepared = self._entries.get(key)
        if prepared is not None:
            self._entries.move_to_end(key)
        return prepared

    def drop(self, key: PreparationKey | None) -> None:
        """Forget what a request was prepared to."""
        if key is not None and self._entries.pop(key, None) is not None:
            self.bytes -= _size(key)

    def put(self, key: PreparationKey, prepared: Kept) -> None:
        """Keep a prepared request in the place of the one there was, unless there is none and no room for it yet."""
        is_new = self._entries.pop(key, None) is None
        if is_new:
            if self.bytes + OVERHEAD_BYTES > self._max_bytes and not self._doorkeeper.knows(key):
                return
            self.bytes += _size(key)
        self._entries[key] = prepared
        while self.bytes > self._max_bytes:
            self.bytes -= _size(self._entries.popitem(last=False)[0])


def _size(key: PreparationKey) -> int:
    texts = [key.target, key.body, *(text for header in key.headers for text in header)]
    return OVERHEAD_BYTES + sum(map(getsizeof, texts)) + len(key.body)
