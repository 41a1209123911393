"""uvicorn's HTTP/1 protocol with the limits it lacks: on the head's size, count and time, and on the body's time.

Its parser accepts a head of any length and never closes a connection whose head or body does not end (slowloris).
What is refused here never reaches the application, so the refusal is written here too, in the same form.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from web.application import lane_of
from web.fast_path.passage import Passage
from web.fast_path.replay_cycle import SeenPassage
from web.server.responses import WholeAnswers

HEAD_S = 10.0
BODY_S = 30.0
MAX_HEAD_BYTES = 16 * 1024
MAX_HEADERS = 100
VERSIONS = ("1.1", "1.0")
_PHRASES = {431: "Request Header Fields Too Large"}


class HardenedProtocol(HttpToolsProtocol):
    """One connection. A refusal ends it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_open = True
        self._body_open = False
        self._head_bytes = 0
        self._piece_bytes = self._pieces_bytes = 0
        self._refusal = (400, "This is not an HTTP request.")
        self._deadline: asyncio.TimerHandle | None = None
        self._lane = lane_of(self.app)
        self._passage: Passage | None = None  # the request that comes in now, if it takes the fast lane
        self._idle_since: float | None = None  # since when nothing is under way, on the loop's clock
        self._is_between = True  # no request has begun to come in
        self._begun = 0  # requests that began in this piece
        self._passed: Passage | None = None  # the last of them that took the fast lane

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Give the first head its time."""
        super().connection_made(transport)
        self._set_deadline(HEAD_S, "The head of the request took too long.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._clear_deadline()
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse, refuse a head that grows beyond the limit before it is whole, and give what is not whole its time.

        A request that comes in one piece, as most do, needs no deadline.
        """
        was_between = self._is_between
        if was_between and self._lane is not None and self._lane.seen is not None and self._is_free():
            seen = self._lane.seen.find(data)
            if seen is not None:
                self._unset_keepalive_if_required()
                self._clear_deadline()
                scope = {**seen.scope, "client": self.client, "server": self.server}
                self._pass(SeenPassage(self, self._lane, scope, seen, self._lane.seen))
                return
        self._begun, self._passed = 0, None
        self._piece_bytes = len(data)
        if self._head_open:
            self._head_bytes += len(data)
            self._pieces_bytes += len(data)
        idle_since = self._idle_since
        super().data_received(data)
        if was_between and not self._begun:
            self._idle_since = idle_since  # an empty line is no request
        if was_between and self._begun == 1 and self._is_between:
            self._note_wire(data)
        if self._head_open and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, f"The head of the request is larger than {MAX_HEAD_BYTES} bytes.")
        elif self._deadline is None and not self.transport.is_closing():
            if self._head_open:
                self._set_deadline(HEAD_S, "The head of the request took too long.")
            elif self._body_open:
                self._set_deadline(BODY_S, "The body of the request took too long.")

    def on_message_begin(self) -> None:
        """Start the next head on a connection that is kept alive."""
        super().on_message_begin()
        self._head_open = True
        self._is_between = False
        self._begun += 1
        self._pieces_bytes = self._piece_bytes
        if self._deadline is None:
            self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Judge the whole head; raising is how httptools is told to stop."""
        self._head_open = False
        self._body_open = True
        self._clear_deadline()
        self._judge_head()
        self._passage = self._short_way()
        if self._passage is not None:
            self.cycle = self._passage  # type: ignore[assignment]  # what uvicorn's protocol looks for is there
            return
        super().on_headers_complete()
        if type(self.cycle) is RequestResponseCycle:  # uvicorn offers no place to name another class
            self.cycle.__class__ = WholeAnswers

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._passage is None:
            super().on_body(body)
        else:
            self._passage.body += body

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._body_open = False
        self._is_between = True
        self._clear_deadline()
        if self._passage is None:
            super().on_message_complete()
            if not self.parser.should_upgrade() and self.cycle.response_complete:
                self._be_idle()  # it was answered before it was whole
        else:
            self._pass(self._passage)
            self._passage = None

    def on_response_complete(self) -> None:
        """As uvicorn does it, but with a timer that is left alone: one for each answer would cost more than a look."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._be_idle()

    def _be_idle(self) -> None:
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_after(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """Hang up on a client that was idle for the whole time; look again later at one that asked meanwhile."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return  # the next answer sets the timer
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._look_after(left_s)
        else:
            super().timeout_keep_alive_handler()

    def _look_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _is_free(self) -> bool:
        """Whether nothing is under way on this connection, and whoever reads keeps up."""
        cycle: RequestResponseCycle | None = self.cycle
        return (cycle is None or cycle.response_complete) and not self.flow.write_paused

    def _short_way(self) -> Passage | None:
        """A passage on the fast lane, if the request may take it."""
        parser, lane = self.parser, self._lane
        if lane is None or not self._is_free() or self.access_log:
            return None
        if parser.get_http_version() != "1.1" or not parser.should_keep_alive():
            return None
        path, _, query = self.url.partition(b"?")
        method = parser.get_method()
        way = lane.way(method, path, self.headers)
        if way is None or b"#" in query:
            return None
        scope: Any = self.scope
        scope["method"], scope["path"], scope["raw_path"] = method.decode("ascii"), path.decode("ascii"), path
        scope["query_string"], scope["way"] = query, way
        scope["route"], scope["path_params"] = way.route, way.params
        return Passage(self, lane, scope)

    def _note_wire(self, data: bytes) -> None:
        """Tell the passage that just began which bytes were all of its request."""
        if self._passed is not None:
            self._passed.wire = data

    def _pass(self, passage: Passage) -> None:
        self._passed = passage
        self.cycle = passage  # type: ignore[assignment]  # what uvicorn's protocol looks for is there
        passage.begin(self.loop)

    def send_400_response(self, msg: str) -> None:
        """Write the refusal that was decided on, or that of the parser, as JSON."""
        status, message = self._refusal
        phrase = _PHRASES.get(status) or HTTPStatus(status).phrase
        body = orjson.dumps({"error": phrase, "message": message})
        head = (
            STATUS_LINE[status] + b"content-type: application/json\r\ncache-control: no-store\r\n"
            b"x-content-type-options: nosniff\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        )
        self.transport.write(head + body)
        self.transport.close()

    def _judge_head(self) -> None:
        names = [name for name, _ in self.headers]
        if len(names) > MAX_HEADERS or self._is_head_too_large():
            self._refusal = (
                431,
                f"The head of the request has more than {MAX_HEAD_BYTES} bytes or {MAX_HEADERS} fields.",
            )
        elif self.parser.get_http_version() not in VERSIONS:
            self._refusal = (505, "This gateway speaks HTTP/1.1.")
        elif names.count(b"host") != 1:
            self._refusal = (400, "The request must have exactly one Host header.")
        else:
            return
        raise ValueError(self._refusal[1])

    def _is_head_too_large(self) -> bool:
        if self._pieces_bytes <= MAX_HEAD_BYTES:
            return False  # the pieces it came in are not, whatever came with it
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD_BYTES

    def _refuse(self, status: int, message: str) -> None:
        self._refusal = (status, message)
        self.send_400_response(message)

    def _set_deadline(self, seconds: float, message: str) -> None:
        def over() -> None:
            self._deadline = None
            if not self.transport.is_closing():
                self._refuse(408, message)

        self._deadline = self.loop.call_later(seconds, over)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
