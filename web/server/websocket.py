"""uvicorn's WebSocket protocol with the limits it lacks.

Each frame costs about 10 µs to parse, and a few bytes make one: without a limit, a client that sends empty frames as
fast as it can keeps the event loop busy for seconds. uvicorn also writes a pong for every ping, read or not, and waits
without end for a client that takes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from secrets import token_bytes
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import Protocol
from websockets.server import ServerProtocol

from web.application import application_of
from web.connections import ConnectionLease
from web.http.websocket_texts import TEXTS, text_frames
from web.pings import Pings
from web.server.addresses import without_mapping
from web.server.light_event import LightEvent, LightQueue

MAX_FRAMES_PER_S = 100
"""The rate of frames that a client may keep up."""
MAX_FRAMES_AT_ONCE = 2 * MAX_FRAMES_PER_S
"""Frames that may come at once after a pause: a client that reconnects starts all its subscriptions."""
MAX_FRAGMENTS = 64
"""Frames of one message (RFC 6455, 5.4)."""
MAX_EARLY_BYTES = 64 * 1024
"""Of frames that come before the handshake was answered."""
INVALID_DATA = 1007
SERVICE_RESTART = 1012
CLOSE_S = 0.3
"""How long a client may take to confirm that close: its confirmation shows that it has read the code."""
UNREAD_S = 30.0
"""How long a client may take nothing of what was written for it."""
REQUEST_ID = "X-Request-Id"
_EXTENSIONS: Mapping[str, Mapping[str, object]] = {"websocket.http.response": {}, TEXTS: {}}
"""What the server can do besides, of all WebSockets."""
_SLICE_BYTES = 1_024
"""Parsed at a time: at most some 170 frames."""


class _Conversation(Protocol):
    """What `websockets` knows of an open WebSocket, without its handshake. Slots spare a kilobyte."""

    __slots__ = (
        "_state",
        "close_rcvd",
        "close_rcvd_then_sent",
        "close_sent",
        "current_size",
        "debug",
        "eof_sent",
        "events",
        "expect_continuation_frame",
        "extensions",
        "handshake_exc",
        "id",
        "logger",
        "max_fragment_size",
        "max_message_size",
        "origin",
        "parser",
        "parser_exc",
        "reader",
        "side",
        "subprotocol",
        "writes",
    )

    def __init__(self, handshake: ServerProtocol) -> None:
        """Behind a handshake whose response was sent, and nothing was received since."""
        super().__init__(
            handshake.side, state=handshake.state, max_size=handshake.max_message_size, logger=handshake.logger
        )
        self.debug = False
        self.extensions = handshake.extensions
        del self.id  # which nothing names


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket. A client beyond the limits is cut off with `abort()`: it would not read a reason.

    Slots spare a kilobyte, those of uvicorn's attributes among them: a dictionary of so many is never shared.
    """

    __slots__ = (
        "_buffered",
        "_counted_at",
        "_early",
        "_fragments",
        "_frames_left",
        "_is_restarted",
        "_pings",
        "_unsent_pong",
        "_write_deadline",
        "app",
        "app_state",
        "asgi_version",
        "client",
        "close_sent",
        "close_timeout",
        "close_timer",
        "config",
        "conn",
        "connections",
        "curr_msg_data_type",
        "default_headers",
        "disconnected",
        "frames",
        "handshake_complete",
        "handshake_initiated",
        "initial_response",
        "last_ping_rtt",
        "lease",
        "logger",
        "loop",
        "pending_ping_payload",
        "ping_interval",
        "ping_sent_at",
        "ping_timeout",
        "ping_timer",
        "pong_timer",
        "queue",
        "read_paused",
        "request",
        "response",
        "root_path",
        "scheme",
        "scope",
        "server",
        "tasks",
        "transport",
        "writable",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        queue: Any = LightQueue()
        self.queue = queue
        writable: Any = LightEvent(is_set=True)
        self.writable = writable
        self.conn.debug = False  # frames may hold tokens, and are not logged
        self._early = b""  # what came before the handshake was answered
        self._frames_left = float(MAX_FRAMES_AT_ONCE)
        self._counted_at = self.loop.time()
        self._fragments = 0
        self._unsent_pong = b""
        self._is_restarted = False  # closed by `drain`
        self._write_deadline: asyncio.TimerHandle | None = None
        self.lease: ConnectionLease | None = None
        application = application_of(self.app)
        self._buffered = None if application is None else application.buffered
        self._pings = Pings() if application is None else application.pings

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Begin with the client's address as everything else knows it."""
        super().connection_made(transport)
        self.client = without_mapping(self.client)

    def data_received(self, data: bytes) -> None:
        """Parse slice by slice, and stop when the client has sent too many frames.

        What comes before the handshake is answered waits for that: it is nothing if the handshake is refused.
        """
        if self.handshake_initiated and not self.handshake_complete:
            self._early += data
            if len(self._early) > MAX_EARLY_BYTES:
                self._cut_off("too much before the handshake was answered")
            return
        for start in range(0, len(data), _SLICE_BYTES):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + _SLICE_BYTES])

    def handle_events(self) -> None:
        """Handle what one slice had, unless that is more frames than the client may send."""
        events = self.conn.events_received()
        now = self.loop.time()
        earned = (now - self._counted_at) * MAX_FRAMES_PER_S
        self._counted_at = now
        self._frames_left = min(self._frames_left + earned, MAX_FRAMES_AT_ONCE)
        self._frames_left -= sum(isinstance(event, Frame) for event in events)
        if self._frames_left < 0:
            self._cut_off("more frames than are allowed")
            return
        self.conn.events = events
        super().handle_events()

    def handle_connect(self, event: Request) -> None:
        """Accept the handshake, and let the application send several messages at once.

        The response has the request's id, also where the library refuses the handshake.
        """
        request_id = event.headers.get(REQUEST_ID)
        if request_id is not None:
            self._answer_with(request_id)
        super().handle_connect(event)
        if (
            self.handshake_initiated
            and not self.conn.extensions
            and self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS
        ):
            extensions: Any = _EXTENSIONS
            self.scope["extensions"] = extensions
            self.scope["state"] = self.app_state  # of which others have copies that nothing writes to either

    async def send(self, message: Any) -> None:
        """Send as uvicorn does, and several text messages with one write."""
        if self._is_restarted:
            raise ClientDisconnected
        texts = message.get(TEXTS)
        if texts is None:
            was_open = self.handshake_complete
            await super().send(message)
            if self.close_sent:
                self.handshake_complete = True  # also where it was refused; otherwise an error would be logged
            elif not was_open and self.handshake_complete:
                self._forget_handshake()
                early, self._early = self._early, b""
                self.data_received(early)
            return
        await self.writable.wait()
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        self.transport.write(text_frames(texts))

    def handle_text(self, event: Frame) -> None:
        """Begin a message."""
        self._fragments = 1
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Begin a message."""
        self._fragments = 1
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Continue a message, if it has not too many fragments."""
        self._fragments += 1
        if self._fragments > MAX_FRAGMENTS:
            self._cut_off("a message of too many fragments")
        elif not self.transport.is_closing():
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Hand a message on; a text that is not UTF-8 is a fault of the client's, which uvicorn logs as an error."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(INVALID_DATA)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping; while the client does not read, only the last one, later (RFC 6455, 5.5.3)."""
        output = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(output))
        elif output:
            self._unsent_pong = output[-1]

    def pause_writing(self) -> None:
        """Wait for a client that does not read, but not without end."""
        super().pause_writing()
        self._write_deadline = self.loop.call_later(UNREAD_S, self._cut_off, "a client that does not read")
        if self._buffered is not None:
            self._buffered.paused(self.transport, self.loop.time())

    def resume_writing(self) -> None:
        """Go on writing."""
        self._clear_write_deadline()
        super().resume_writing()
        if self._buffered is not None:
            self._buffered.resumed(self.transport)
        if self._unsent_pong and not self.transport.is_closing():
            pong, self._unsent_pong = self._unsent_pong, b""
            self.transport.write(pong)

    def start_keepalive(self) -> None:
        """Be pinged from now on, with all others, without a timer of its own."""
        if self.ping_interval is not None and self.ping_interval > 0:
            self.ping_sent_at = self.loop.time()
            self._pings.add(self)

    def stop_keepalive(self) -> None:
        """Be pinged no more."""
        self._pings.remove(self)
        self.pending_ping_payload = None

    def keep_alive(self, now: float) -> None:
        """Ping the client when it is time, or cut it off if it has not answered; `now` is on the loop's clock."""
        if self.ping_interval is None or self.close_sent or self.transport.is_closing():
            return
        waited_s = now - self.ping_sent_at
        if self.pending_ping_payload is None:
            if waited_s >= self.ping_interval:
                self.send_keepalive_ping()
        elif self.ping_timeout is not None and waited_s >= self.ping_timeout:
            self.keepalive_timeout()

    def send_keepalive_ping(self) -> None:
        """Ping the client, with bytes by which its answer is known."""
        self.pending_ping_payload = token_bytes(4)
        self.ping_sent_at = self.loop.time()
        self.conn.send_ping(self.pending_ping_payload)
        self.transport.write(b"".join(self.conn.data_to_send()))

    def keepalive_timeout(self) -> None:
        """Cut off a client that does not answer pings: what is still unsent, it will not read."""
        super().keepalive_timeout()
        self.transport.abort()

    def drain(self, *, closes_idle: bool) -> None:
        """Close the WebSocket with 1012, after which clients connect again; at once, or when it is open."""
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": SERVICE_RESTART})
            self.conn.send_close(SERVICE_RESTART, "Service restart")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = self._is_restarted = True
            if self.read_paused:
                self.read_paused = False
                self.transport.resume_reading()
            self.close_timer = self.loop.call_later(CLOSE_S, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._clear_write_deadline()
        if self._buffered is not None:
            self._buffered.resumed(self.transport)
        if self.lease is not None:
            self.lease.close()
        super().connection_lost(exc)

    def _forget_handshake(self) -> None:
        """Keep nothing of the handshake: its request and response take 5 kB, and the WebSocket may be open for days."""
        del self.request, self.response
        conversation: Any = _Conversation(self.conn)
        self.conn = conversation

    def _answer_with(self, request_id: str) -> None:
        """Let every response to the handshake carry an id, whoever makes it."""
        send_response = self.conn.send_response

        def send_with_id(response: Response) -> None:
            if REQUEST_ID not in response.headers:
                response.headers[REQUEST_ID] = request_id
            send_response(response)

        self.conn.send_response = send_with_id  # type: ignore[method-assign]  # the seam the library has

    def _cut_off(self, reason: str) -> None:
        if not self.transport.is_closing():
            self.logger.info("%s - WebSocket aborted: %s", self.client[0] if self.client else "", reason)
        self.transport.abort()

    def _clear_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None
