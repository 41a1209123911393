"""uvicorn's HTTP/1 protocol with the limits it lacks, and with a fast path for requests that were prepared before.

uvicorn's parser accepts a head of any length and trailers without end, and never closes a connection whose head or body
does not end (slowloris). It drops the body of a request that offers an upgrade, and queues pipelined requests without
limit. What is refused here never reaches the application, so the refusal is written here too, in the same form.
"""

from __future__ import annotations

import asyncio
import fcntl
import termios
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from web.access_log import shown_path
from web.admission.admission import Place
from web.application import application_of
from web.connections import ConnectionLease
from web.fast_path.incoming_request import IncomingRequest
from web.fast_path.preparation_key import PlainHead, PreparationKey, plain_head
from web.fast_path.replay_cycle import ReplayCycle
from web.health_paths import HEALTH_PATHS
from web.http.header_encoding import SharedLines
from web.request_id import HEADER as REQUEST_ID
from web.request_id import given_request_id, new_request_id
from web.request_state import RequestState, request_state, set_request_state
from web.server.addresses import without_mapping
from web.server.light_event import LightEvent, ShortQueue
from web.server.unparsed import RefusedCycle, whole_request
from web.server.until_close import UntilCloseCycle
from web.server.upgrades import offers_websocket, without_upgrade

HEAD_S = 10.0
BODY_S = 30.0
UNREAD_S = 30.0
"""How long a client may take nothing of what was written for it, before the connection is aborted."""
ENDED_S = 2.0
"""How long a client that sends no more is answered what it has asked."""
UNREAD_BYTES_S = 0.05
"""How much longer a connection is kept on which a request has just arrived that was not read yet."""
MAX_HEAD_BYTES = 16 * 1024
MAX_UNKNOWN_ORIGIN_BYTES = 4 * MAX_HEAD_BYTES
"""Read of a head that is too large to find out whose page may read the refusal; browsers send Origin late."""
MAX_HEADERS = 100
MAX_UNPARSED_BYTES = 64 * 1024
"""Of what comes behind requests that wait; beyond it nothing more is read."""
MAX_QUEUED = 32
"""Requests that are parsed before the response to the first of them is complete."""
CHUNK_OVERHEAD_BYTES = 14
"""Of a chunk's framing: up to eight hexadecimal digits, a separator and the line ends."""
VERSIONS = ("1.1", "1.0")
_HEALTH_PATHS = frozenset(path.encode() for path in HEALTH_PATHS)
_SERVER_LINES = SharedLines()
_PHRASES = {431: "Request Header Fields Too Large"}
_SLICE_BYTES = 26 * MAX_QUEUED
"""No more than `MAX_QUEUED` requests fit into so many bytes: `GET / HTTP/1.1`, a Host and the line ends are 26."""


class HardenedProtocol(HttpToolsProtocol):
    """One connection. A refusal ends it. Slots spare a kilobyte: a dictionary of so many attributes is never shared."""

    __slots__ = (
        "_access_log",
        "_admission",
        "_body_open",
        "_buffered",
        "_connections",
        "_cross_origin",
        "_deadline",
        "_end",
        "_fast_path",
        "_framing_bytes",
        "_has_begun",
        "_has_parsed",
        "_head_bytes",
        "_head_open",
        "_idle_since",
        "_is_chunked",
        "_is_draining",
        "_is_held",
        "_is_proxied",
        "_keep_alive",
        "_late_refusal",
        "_lease",
        "_method",
        "_peer_address",
        "_piece_bytes",
        "_pieces_bytes",
        "_place",
        "_plain_body",
        "_plain_head",
        "_refusal",
        "_refusals",
        "_running",
        "_trailer_bytes",
        "_trailers",
        "_unparsed",
        "_upgrade_offered",
        "_version",
        "_websocket",
        "_write_deadline",
        "url",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pipeline: Any = ShortQueue()
        self.pipeline = pipeline
        application = application_of(self.app)
        self._fast_path = None if application is None else application.fast_path
        self._connections = None if application is None else application.connections
        self._access_log = None if application is None else application.access_log
        self._buffered = None if application is None else application.buffered
        self._cross_origin = None if application is None else application.cross_origin
        self._admission = None if application is None else application.admission
        self._refusals = None if application is None else application.refusals
        self._lease: ConnectionLease | None = None
        # The connection
        self._is_proxied = False
        self._peer_address = ""
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None  # of a connection whose client sends no more
        self._idle_since: float | None = None  # since when no request is under way, on the loop's clock
        self._unparsed = b""  # what came behind requests that wait for another
        self._is_held = False  # what came waits for the client to take what was written
        self._running: RequestResponseCycle | ReplayCycle | None = None  # the first of the requests under way
        self._place: Place | None = None  # of that request among those at work, or of the one that waits
        self._refusal = (400, "This is not an HTTP request.")
        # The request that comes in
        self._head_open = True
        self._body_open = False
        self._has_begun = self._has_parsed = False
        self._head_bytes = 0
        self._framing_bytes = 0  # of a chunked body: everything in it but its data and the least framing of a chunk
        self._trailers = 0
        self._upgrade_offered = False  # and is not taken
        self._keep_alive = True
        self.url = b""
        self._method, self._version = b"", ""
        self._plain_head: PlainHead | None = None  # of a request that the fast path may replay when it is whole
        self._plain_body = b""
        self._is_chunked = False
        self._trailer_bytes = self._piece_bytes = self._pieces_bytes = 0
        self._late_refusal = b""  # to be written behind the responses under way
        self._is_draining = False
        self._websocket: asyncio.Protocol | None = None  # that has the connection now

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Give the first head its time."""
        super().connection_made(transport)
        self.client = without_mapping(self.client)
        writable: Any = LightEvent(is_set=True)
        self.flow._is_writable_event = writable
        if self._fast_path is not None:
            self._is_proxied = self._fast_path.trusts(self.client)
            self._peer_address = self._fast_path.client_address(self.client, ())
        if self._connections is not None:
            address = self.client[0] if self.client else ""
            self._lease = self._connections.open(address, is_proxy=self._is_proxied)
            if self._lease.is_far_beyond:
                transport.abort()
                return
        self._set_deadline(HEAD_S, "The head of the request took too long.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers and let go of what the connection holds."""
        self._clear_deadline()
        self._clear_write_deadline()
        if self._end is not None:
            self._end.cancel()
        if self._buffered is not None:
            self._buffered.resumed(self.transport)
        if self._lease is not None:
            self._lease.close()
        self._leave()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            if not isinstance(self._running, ReplayCycle):
                self._say_that_client_is_gone(self._running)
            self._running.message_event.set()
        self._running = None
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        self.pipeline.clear()
        self._unparsed = b""
        self._let_go()

    def _let_go(self) -> None:
        """Refer to nothing that refers to this: the collector, which looks at the oldest objects once in a day, would
        have to find it.
        """
        nothing: Any = None
        self.parser = self.cycle = nothing

    def eof_received(self) -> bool | None:  # type: ignore[override]  # as asyncio declares it
        """Answer what is under way when the client sends no more, and then close; True keeps the connection until then.

        Some clients close their side behind a request, and look the same as one that has left. So only what is being
        answered goes on, and briefly: no stream, nothing that waits for its turn, and nothing over TLS, where there is
        no half of a connection.
        """
        cycle = self._running
        if self.scheme == "https" or self._body_open or cycle is None or cycle.response_started:
            return None
        self._end = self.loop.call_later(ENDED_S, self.transport.close)
        return True

    @staticmethod
    def _say_that_client_is_gone(cycle: RequestResponseCycle) -> None:
        scope: Any = cycle.scope
        state = request_state(scope)
        state.is_gone = True
        if state.when_gone is not None:
            state.when_gone()

    def data_received(self, data: bytes) -> None:
        """Parse what came until requests have to wait for another; keep the rest unparsed.

        Reading goes on, up to `MAX_UNPARSED_BYTES`, so that the end of the connection is noticed.
        """
        if self._late_refusal:
            return
        if self._admission is not None and self._admission.is_overloaded and self._is_refused(data):
            return
        if self.flow.write_paused and self._has_no_cycle():
            self._is_held, self._idle_since = True, None
        if self._unparsed or self.pipeline or self._is_held:
            self._unparsed += data
            if len(self._unparsed) > MAX_UNPARSED_BYTES:
                self.flow.pause_reading()
        elif data.count(b"\n\r\n") + data.count(b"\n\n") <= MAX_QUEUED:
            self._parse(data)
        else:
            self._unparsed = data
            self._parse_unparsed()

    def _parse_unparsed(self) -> None:
        """Parse slice by slice until a request has to wait for another."""
        unparsed, self._unparsed = memoryview(self._unparsed), b""
        while unparsed and not (self.pipeline or self._late_refusal or self.transport.is_closing()):
            piece, unparsed = bytes(unparsed[:_SLICE_BYTES]), unparsed[_SLICE_BYTES:]
            self._parse(piece)
            if self._websocket is not None:
                self._hand_on(bytes(unparsed))
                return
        if not (self._late_refusal or self.transport.is_closing()):
            self._unparsed = bytes(unparsed)

    def _parse(self, data: bytes) -> None:
        """Parse a piece; refuse a head or framing that grows beyond the limit; time what is not whole."""
        self._has_begun, self._has_parsed = False, True
        was_between = not (self._head_open or self._body_open)
        if self._head_open:
            self._head_bytes += len(data)
            self._pieces_bytes += len(data)
        if self._body_open:
            self._framing_bytes += len(data)
        idle_since, self._idle_since = self._idle_since, None
        self._piece_bytes = len(data)
        self._feed(data)
        if self.transport.is_closing():
            return
        if was_between and not self._has_begun:
            self._idle_since = idle_since  # an empty line is no request
        if self._head_open and self._head_bytes > self._most_head_bytes():
            self._refuse(431, f"The head of the request is larger than {MAX_HEAD_BYTES} bytes.")
        elif self._body_open and self._framing_bytes > MAX_HEAD_BYTES and self._is_chunked:
            self._refuse(431, f"The framing of the body has more than {MAX_HEAD_BYTES} bytes beside its data.")
        elif self._deadline is None:
            if self._has_begun and self._head_open:
                self._set_deadline(HEAD_S, "The head of the request took too long.")
            elif self._body_open:
                self._set_deadline(BODY_S, "The body of the request took too long.")

    def _most_head_bytes(self) -> int:
        """How much of a head is read before it is refused without its end."""
        if self._cross_origin is None or any(name == b"origin" for name, _ in self.headers):
            return MAX_HEAD_BYTES
        return MAX_UNKNOWN_ORIGIN_BYTES

    def _feed(self, data: bytes) -> None:
        parser: Any = self.parser
        if parser is None:
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            rest = data[offer.args[0] :]
            if self._upgrade_offered:
                self._ignore_upgrade(rest)
            else:
                self.handle_websocket_upgrade()
                self._hand_on(rest)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("")

    # The head

    def on_message_begin(self) -> None:
        """Start the next head on a connection that is kept alive."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._head_open = self._has_begun = True
        self._pieces_bytes = self._piece_bytes
        if self._deadline is None:
            self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; a trailer behind a chunked body is counted and dropped (RFC 9110, 6.5.1).

        httptools leaves the white space behind a value, which is no part of it (RFC 9110, 5.5).
        """
        if self._head_open:
            super().on_header(name, value.rstrip(b" \t"))
            return
        self._trailers += 1
        self._trailer_bytes += len(name) + len(value) + 4
        if self._trailers > MAX_HEADERS or self._trailer_bytes > MAX_HEAD_BYTES:
            self._raise(431, f"The trailers have more than {MAX_HEAD_BYTES} bytes or {MAX_HEADERS} fields.")

    def on_headers_complete(self) -> None:
        """Judge the whole head; an exception stops httptools."""
        self._head_open = False
        self._clear_deadline()
        method, version = self.parser.get_method(), self.parser.get_http_version()
        self._judge_head(method, version)
        self._method, self._version = method, version
        if self.parser.should_upgrade():
            takes = self._is_free() and offers_websocket(method, version, self.headers) and self._has_websockets()
            self._upgrade_offered = not takes
            return
        self._body_open = True
        self._framing_bytes = self._trailers = self._trailer_bytes = 0
        self._keep_alive = version == "1.1" and self.parser.should_keep_alive() and not self._is_draining
        self._plain_head = None
        if self._keep_alive and self._fast_path is not None and self._is_free():
            self._plain_head, self._plain_body = plain_head(method, self.url, self.headers), b""
        if self._plain_head is None:
            self._start(self._request(self._state()))

    def _judge_head(self, method: bytes, version: str) -> None:
        names = [name for name, _ in self.headers]
        encodings = [value for name, value in self.headers if name == b"transfer-encoding"]
        self._is_chunked = bool(encodings)
        if len(names) > MAX_HEADERS or self._is_head_too_large():
            self._raise(431, f"The head of the request has more than {MAX_HEAD_BYTES} bytes or {MAX_HEADERS} fields.")
        elif version not in VERSIONS:
            self._raise(505, "This gateway speaks HTTP/1.1.")
        elif names.count(b"host") != 1:
            self._raise(400, "The request must have exactly one Host header.")
        elif b"#" in self.url:
            self._raise(400, "The target of the request must have no fragment.")
        elif method == b"CONNECT":
            self._raise(501, "This gateway is no proxy.")
        elif self._lease is not None and self._is_beyond(self._lease):
            self._raise(503, "There are too many connections; try again in a moment.")
        elif encodings and version != "1.1":
            self._raise(400, "HTTP/1.0 has no Transfer-Encoding.")
        elif encodings and [value.lower() for value in encodings] != [b"chunked"]:
            self._raise(501, "The only Transfer-Encoding here is chunked.")

    def _is_beyond(self, lease: ConnectionLease) -> bool:
        """Whether the request is refused because there are too many connections; health is answered all the same."""
        if self._is_proxied and self._fast_path is not None:
            lease.move(self._fast_path.forwarded_address(self.headers))
        return lease.is_beyond and self.url.partition(b"?")[0] not in _HEALTH_PATHS

    def _is_head_too_large(self) -> bool:
        if self._pieces_bytes <= MAX_HEAD_BYTES:
            return False  # the pieces it came in are not, whatever came with it
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD_BYTES

    # Upgrades

    def _has_websockets(self) -> bool:
        """Whether a WebSocket may begin where the request goes to."""
        application = application_of(self.app)
        if application is None:
            return True
        return unquote(httptools.parse_url(self.url).path.decode("ascii")) in application.websocket_paths

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol, and its place among the connections with it."""
        self._clear_deadline()
        if self._refuses_socket():
            return
        self.connections.discard(self)
        request_id = given_request_id(self.headers) if self._is_proxied else new_request_id()
        headers = [header for header in self.headers if header[0] != REQUEST_ID]
        headers.append((REQUEST_ID, request_id))  # which the application may trust
        lines = [b"GET %s HTTP/1.1\r\n" % self.url, *(b"%s: %s\r\n" % header for header in headers), b"\r\n"]
        make: Any = self.ws_protocol_class
        protocol = make(
            config=self.config,
            server_state=self.server_state,
            app_state=self.app_state,
        )
        protocol.lease, self._lease = self._lease, None
        protocol.connection_made(self.transport)
        protocol.data_received(b"".join(lines))
        self.transport.set_protocol(protocol)
        self._websocket = protocol
        self._let_go()

    def _hand_on(self, data: bytes) -> None:
        """Give the WebSocket what came in the piece of its handshake, behind it."""
        if data and self._websocket is not None and not self.transport.is_closing():
            self._websocket.data_received(data)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Parse a request whose upgrade is not taken as if it had not offered one, and then the rest of the piece."""
        head = without_upgrade(self._method, self.url, self._version.encode(), self.headers)
        self._upgrade_offered = False
        self.parser = httptools.HttpRequestParser(self)
        self._feed(head)
        if rest and not self.transport.is_closing():
            self._body_open_bytes(rest)
            self._feed(rest)

    def _body_open_bytes(self, rest: bytes) -> None:
        if self._body_open:
            self._framing_bytes += len(rest)

    # The body

    def on_chunk_header(self) -> None:
        """A chunk may take the least framing there is."""
        self._framing_bytes = max(0, self._framing_bytes - CHUNK_OVERHEAD_BYTES)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._framing_bytes = max(0, self._framing_bytes - len(body))
        if self._plain_head is None:
            super().on_body(body)
        else:
            self._plain_body += body

    def on_message_complete(self) -> None:
        """The request is whole: replay it, if it was prepared before."""
        if self.parser.should_upgrade():
            return
        self._body_open = False
        self._clear_deadline()
        head, body = self._plain_head, self._plain_body
        if head is None:
            super().on_message_complete()
            if len(self._unparsed) <= MAX_UNPARSED_BYTES:
                self.flow.resume_reading()  # a large piece pauses it, and a client that leaves would not be noticed
            if self.cycle.response_complete:
                self._be_idle()  # it was answered before it was whole
            elif self.cycle is self._running and self._place is None:
                self._enter(self.cycle, always=True)
            return
        self._plain_head, self._plain_body = None, b""
        assert self._fast_path is not None  # noqa: S101 - there is no plain head without one
        key, prepared = self._fast_path.find(head, body, is_proxied=self._is_proxied)
        request = self._request(self._state(key), body)
        if prepared is None:
            self._start(request)
            return
        cycle = ReplayCycle(self, self._fast_path, prepared, request, head)
        self.cycle = cycle  # type: ignore[assignment]  # it has what uvicorn's protocol reads
        self._start_in_turn(cycle)

    # Requests

    @property
    def default_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """The server's own headers, `date` among them."""
        return self.server_state.default_headers

    def start_standard(self, replay: ReplayCycle) -> None:
        """Let the standard path answer the request of a replay that has written nothing."""
        if replay.disconnected:
            return
        current: object = self.cycle
        cycle = self._cycle_of(replay.request)
        cycle.keep_alive = replay.keep_alive
        if current is replay:
            self.cycle = cycle
        self._run(cycle)

    def _request(self, state: RequestState, body: bytes | None = None) -> IncomingRequest:
        """The request that comes in; `body` is None while it is not whole."""
        fields = self._method, self.url, self._version, self.headers
        expects_continue = self.expect_100_continue and self._version == "1.1"  # RFC 9110, 10.1.1
        return IncomingRequest(*fields, state, self._keep_alive, expects_continue, body)

    def _state(self, key: PreparationKey | None = None) -> RequestState:
        """The state of the request that comes in."""
        if self._fast_path is None:
            return RequestState(key)
        if not self._is_proxied:
            return RequestState(key, None, self._peer_address)
        address = self._fast_path.client_address(self.client, self.headers)
        return RequestState(key, given_request_id(self.headers), address)

    def _start(self, request: IncomingRequest) -> None:
        """Let the standard path answer a request, at once or behind those before it."""
        is_free = self._has_no_cycle()
        cycle = self.cycle = self._cycle_of(request)
        if is_free:
            self._start_in_turn(cycle)
        else:
            self.pipeline.appendleft((cycle, self.app))

    def _run(self, cycle: RequestResponseCycle | ReplayCycle) -> None:
        self._running = cycle
        if not isinstance(cycle, ReplayCycle):
            self._start_asgi_task(cycle, self.app)
        elif not cycle.start():
            self.start_standard(cycle)

    # Admission

    def _start_in_turn(self, cycle: RequestResponseCycle | ReplayCycle) -> None:
        """Begin the first of the requests under way, now or when it is its user's turn."""
        if self._enter(cycle):
            self._run(cycle)

    def _enter(self, cycle: RequestResponseCycle | ReplayCycle, *, always: bool = False) -> bool:
        """Whether a request may begin now; else it waits, or is refused.

        One whose body is not whole takes no place before it is.
        """
        admission = self._admission
        if admission is None:
            return True
        authorization: bytes | None
        if isinstance(cycle, ReplayCycle):
            state, authorization, is_whole = cycle.request.state, cycle.authorization, True
        else:
            scope: Any = cycle.scope
            if scope["raw_path"] in _HEALTH_PATHS:
                return True
            state, is_whole = request_state(scope), not cycle.more_body
            authorization = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        key, token = admission.user_of(authorization, state.address)
        if not is_whole and not always and admission.has_room(key):
            return True
        self._place = admission.enter(key, token, state, cycle, always=always)
        if self._place is None:
            start, refuse = partial(self._run, cycle), partial(self._refuse_overload, cycle)
            self._place = admission.wait(key, token, state, cycle, start=start, refuse=refuse)
            return False
        return True

    def _refuse_overload(self, cycle: RequestResponseCycle | ReplayCycle | RefusedCycle) -> None:
        """Refuse a request that has not begun; its connection stays, unless the client waits to send the body."""
        self._place = None
        if self._refusals is None or cycle.disconnected or self.transport.is_closing():
            return
        cycle.response_complete = True
        keep_alive = cycle.keep_alive
        if isinstance(cycle, RefusedCycle):
            method, target, headers, _ = cycle.request
            request_id = cycle.request_id
        elif isinstance(cycle, ReplayCycle):
            request = cycle.request
            method, target, headers, request_id = (
                request.method,
                request.target,
                request.headers,
                request.state.request_id,
            )
        else:
            keep_alive = keep_alive and not (cycle.waiting_for_100_continue and cycle.more_body)
            scope: Any = cycle.scope
            method, target, headers = scope["method"].encode(), scope["raw_path"], scope["headers"]
            request_id = request_state(scope).request_id
        is_https = self.scheme == "https"
        lines = _SERVER_LINES.of(self.default_headers)
        self.transport.write(
            self._refusals.response(
                method, target, headers, request_id, lines, keep_alive=keep_alive, is_https=is_https
            )
        )
        if not keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _is_refused(self, data: bytes) -> bool:
        """Whether a piece is a whole request that is refused; it is not parsed then, which costs more than refusing."""
        if self._body_open or self._unparsed or not (self._is_free() and self._is_between_requests()):
            return False
        whole = whole_request(data)
        if whole is None or whole.target.partition(b"?")[0] in _HEALTH_PATHS:
            return False
        assert self._admission is not None  # noqa: S101 - the caller asks it
        self.headers = whole.headers
        if self._is_proxied:
            state = self._state()
            address, request_id = state.address, state.request_id
        else:
            address, request_id = self._peer_address, new_request_id()
        key, _ = self._admission.user_of(whole.authorization, address)
        cycle = RefusedCycle(whole, request_id)
        if not self._admission.refuses(key, partial(self._refuse_overload, cycle)):
            return False
        self._head_open, self._idle_since = False, None
        self._clear_deadline()
        self.cycle = cycle  # type: ignore[assignment]  # it has what uvicorn's protocol reads
        return True

    def _refuses_socket(self) -> bool:
        """Refuse the handshake of a WebSocket during an overload, unless its client's requests begin at once."""
        admission, state = self._admission, self._state()
        if admission is None or self._refusals is None or not admission.is_overloaded:
            return False
        if admission.has_room(admission.user_of(None, state.address)[0]):
            return False
        admission.note_refused()
        lines, is_https = _SERVER_LINES.of(self.default_headers), self.scheme == "https"
        refusal = self._refusals.response(
            self._method, self.url, self.headers, state.request_id, lines, keep_alive=False, is_https=is_https
        )
        self._write_refusal(refusal)
        return True

    def _rest(self) -> None:
        """Keep no parser while a stream is open: it takes a kilobyte, and the next request can have a new one."""
        if self._keep_alive and not (self._head_open or self._body_open or self._unparsed or self.pipeline):
            parser: Any = None
            self.parser = parser

    def _is_between_requests(self) -> bool:
        """Whether nothing of a request was received that is not whole."""
        return not (self._has_parsed if self._head_open else self._plain_head)

    def _leave(self) -> None:
        place, self._place = self._place, None
        if place is not None and self._admission is not None:
            self._admission.leave(place)

    def _cycle_of(self, request: IncomingRequest) -> RequestResponseCycle:
        url = httptools.parse_url(request.target)
        path = url.path.decode("ascii")
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": request.version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": request.method.decode("ascii"),
            "root_path": self.root_path,
            "path": self.root_path + (unquote(path) if "%" in path else path),
            "raw_path": self.root_path.encode("ascii") + url.path,
            "query_string": url.query or b"",
            "headers": request.headers,
            "state": self.app_state.copy(),
        }
        set_request_state(scope, request.state)
        request.state.is_gone = False
        request.state.when_resting = self._rest
        event: Any = LightEvent()
        make = RequestResponseCycle if request.version == "1.1" else UntilCloseCycle
        cycle = make(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=event,
            expect_100_continue=request.expects_continue,
            keep_alive=request.keep_alive,
            on_response=self.on_response_complete,
        )
        if request.body is not None:
            cycle.body += request.body
            cycle.more_body = False
            cycle.message_event.set()
        return cycle

    def _is_free(self) -> bool:
        """Whether no request is under way on this connection, and the client takes what is written."""
        return self._has_no_cycle() and not self.pipeline and not self.flow.write_paused

    def _has_no_cycle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    # Responses

    def on_response_complete(self) -> None:
        """Go on with what is queued, then with what was not parsed yet, and read on when there is nothing of either."""
        self.server_state.total_requests += 1
        self._leave()
        if self._is_proxied and self._lease is not None:
            self._lease.move("")
        if self.transport.is_closing():
            self._watch_writes()
            return
        self._running = None
        self._go_on()

    def _go_on(self) -> None:
        """Begin the next request, once the client has taken nearly all that was written before.

        What it does not read would be worked out, and be kept, for nobody.
        """
        self._is_held = self.flow.write_paused and bool(self.pipeline or self._unparsed)
        if self._is_held:
            return
        if self.pipeline:
            cycle, _ = self.pipeline.pop()
            self._start_in_turn(cycle)
        elif self._late_refusal:
            self._write_refusal(self._late_refusal)
            return
        if self._unparsed and not self.pipeline:
            self._parse_unparsed()
        if len(self._unparsed) <= MAX_UNPARSED_BYTES:
            self.flow.resume_reading()
        if self._end is not None and self._has_no_cycle():
            self.transport.close()
        elif self._has_no_cycle() and not (self._head_open or self._body_open):
            self._be_idle()

    def drain(self, *, closes_idle: bool) -> None:
        """Answer what is under way, and a request that comes before the client knows, as the last of the connection.

        With `closes_idle` a connection without a request is closed, unless one has arrived unread.
        """
        self._is_draining = True
        if self.transport.is_closing():
            return
        if self._plain_head is not None or not self._has_no_cycle():
            self._keep_alive = False
            cycle: RequestResponseCycle | None = self.cycle
            if cycle is not None and not self._unparsed:
                cycle.keep_alive = False
        elif closes_idle and not self._is_held and not self._has_begun_head() and not self._has_unread_bytes():
            self.transport.close()

    def _has_begun_head(self) -> bool:
        """Whether a part of a request's head has come; on a connection without a request, the head is open too."""
        cycle: RequestResponseCycle | None = self.cycle
        return self._head_open and (self._head_bytes > 0 or cycle is not None)

    def _has_unread_bytes(self) -> bool:
        """Whether the client has sent what the event loop has not read yet."""
        connection = self.transport.get_extra_info("socket")
        if connection is None:
            return False
        try:
            return any(fcntl.ioctl(connection.fileno(), termios.FIONREAD, b"\0\0\0\0"))
        except OSError:
            return False

    def pause_writing(self) -> None:
        """The client is slow: from now on it has to take something now and then."""
        super().pause_writing()
        self._watch_writes()
        if self._buffered is not None:
            self._buffered.paused(self.transport, self.loop.time())

    def resume_writing(self) -> None:
        """The client has taken nearly all."""
        super().resume_writing()
        if self._buffered is not None:
            self._buffered.resumed(self.transport)
        if not self.transport.is_closing():
            self._clear_write_deadline()
            if self._is_held:
                self._go_on()

    def _watch_writes(self) -> None:
        """Abort the connection once the client has taken nothing for `UNREAD_S`; closing would wait for it."""
        if self._write_deadline is None and self.transport.get_write_buffer_size():
            self._write_deadline = self.loop.call_later(UNREAD_S, self._look_at_writes, self._unread())

    def _look_at_writes(self, before: int) -> None:
        self._write_deadline = None
        unread = self._unread()
        if unread and unread >= before:
            self.transport.abort()
        elif unread:
            self._write_deadline = self.loop.call_later(UNREAD_S, self._look_at_writes, unread)

    def _unread(self) -> int:
        return self.transport.get_write_buffer_size()

    def _clear_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    # Idle connections

    def _be_idle(self) -> None:
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_after(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was idle for the whole time; look again later at one that was used meanwhile."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return  # the next response sets the timer
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._look_after(left_s)
        elif self._has_unread_bytes():
            self._look_after(UNREAD_BYTES_S)
        else:
            super().timeout_keep_alive_handler()
            self._watch_writes()

    def _look_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    # Refusals

    def send_400_response(self, msg: str) -> None:
        """Write the refusal that was decided on, or that of the parser, as JSON, behind the responses under way."""
        status, message = self._refusal
        state = self._state()
        phrase = _PHRASES.get(status) or HTTPStatus(status).phrase
        body = orjson.dumps({"error": phrase, "message": message})
        wait = b"retry-after: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else b""
        cross_origin = b"" if self._cross_origin is None else self._cross_origin.lines(self.headers)
        head = (
            STATUS_LINE[status] + wait + cross_origin + b"content-type: application/json\r\ncache-control: no-store\r\n"
            b"x-content-type-options: nosniff\r\n%s: %s\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            % (REQUEST_ID, state.request_id, len(body))
        )
        self._log_refusal(state, status, len(body))
        self._unparsed = b""
        if self._has_no_cycle():
            if self._body_open and self._plain_head is None:
                self.transport.close()  # the request of the open body was answered before it was whole
            else:
                self._write_refusal(head + body)
            return
        cycle = self.cycle
        if self._body_open and self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()  # this request's own cycle, whose body will never be whole
        elif self._body_open:
            if cycle.response_started:
                self.transport.close()
            else:
                self._write_refusal(head + body)
            return
        self._late_refusal = head + body

    def _log_refusal(self, state: RequestState, status: int, sent: int) -> None:
        if self._access_log is not None:
            path = shown_path(self.url.partition(b"?")[0].decode("latin-1")) if self.url else "-"
            method = "OTHER" if self._head_open else self.parser.get_method().decode("latin-1")
            self._access_log.add(state, method, path, status=status, took_s=0.0, sent=sent)

    def _write_refusal(self, refusal: bytes) -> None:
        self.transport.write(refusal)
        self.transport.close()
        self._watch_writes()

    def _raise(self, status: int, message: str) -> None:
        """Stop the parser with a refusal."""
        self._refusal = (status, message)
        raise ValueError(message)

    def _refuse(self, status: int, message: str) -> None:
        self._refusal = (status, message)
        self.send_400_response(message)

    def _set_deadline(self, seconds: float, message: str) -> None:
        def over() -> None:
            self._deadline = None
            if self._waits_for_responses():
                self._set_deadline(seconds, message)
            elif not self.transport.is_closing():
                self._refuse(408, message)

        self._deadline = self.loop.call_later(seconds, over)

    def _waits_for_responses(self) -> bool:
        """Whether what is not whole comes behind requests under way, so that the client is not the one to wait for."""
        return bool(self._unparsed or self.pipeline) or (self._head_open and not self._has_no_cycle())

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
