"""A worker process: uvicorn's server, which accepts when the supervisor says so and ends so that no client notices.

A stop has an order. `/readyz` answers 503. What waits in the listening sockets is accepted, for a closed socket would
reset it, and they are closed. Streams end in the form in which their clients resume them. Responses say `Connection:
close`. Connections without a request are closed last, after `GRACE_S`: a request may be on its way.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from functools import partial
from typing import Any, Protocol

import uvicorn

from models.outage import SUBJECT
from web.application import Application, application_of
from web.server.control import ALIVE_S, Order, OutageReport, Report, orders, report, report_outage

DRAIN_S = 30.0
"""How long requests under way may take to finish."""
GRACE_S = 0.4
"""How long connections without a request stay open in a stop: longer than a request is on its way."""
UNREAD_S = 5.0
"""How long a client may take to read the end of what it was sent, in a stop."""
ACCEPT_AT_ONCE = 32
"""Connections that a turn of the event loop accepts, beside the one that uvloop does.

One for each turn makes the last of a thousand that reconnect wait for a thousand turns, which are long then.
"""
_LOOK_S = 0.02
_MOST_LOOK_S = 10 * _LOOK_S
"""What counts of the time between two looks: while the machine stands still, clients read nothing either."""


class Connection(Protocol):
    """A connection as the server sees it; `drain` is called again and again in a stop."""

    transport: asyncio.Transport

    def drain(self, *, closes_idle: bool) -> None:
        """Let what is under way finish and nothing more come; close a connection without a request if asked to."""


class Worker(uvicorn.Server):
    """Serves an application until the supervisor ends it, or has ended itself."""

    def __init__(self, config: uvicorn.Config, link: socket.socket) -> None:
        """`link` is the worker's end of the link to the supervisor."""
        super().__init__(config)
        self._link = link
        self._listening: dict[int, tuple[asyncio.Server, socket.socket]] = {}
        self._orphaned = threading.Event()
        self._drains = asyncio.Event()
        self._lifespan: AbstractAsyncContextManager[Any] | None = None
        self._accepting: set[asyncio.Task[Any]] = set()
        self._looking: set[socket.socket] = set()
        """Listening sockets from which more is accepted in the next turn."""
        self._until_open: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and say that it can serve; what it raises is raised here."""
        loop = asyncio.get_running_loop()
        self.servers = []
        self._lifespan = self._application.router.lifespan_context(self._application)
        self.lifespan.state = await self._lifespan.__aenter__()
        loop.add_signal_handler(signal.SIGTERM, report, self._link, Report.LEAVES)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
        self.started = True
        await self.on_tick(0)
        self._link.setblocking(False)
        loop.add_reader(self._link, self._obey)
        opened = self._application.opened
        if opened is None or opened.is_set():
            report(self._link, Report.READY)
        else:
            report(self._link, Report.ABLE)
            self._until_open = loop.create_task(self._say_ready(opened))

    async def main_loop(self) -> None:
        """Say again and again that the event loop runs, until it is time to end."""
        while not self._drains.is_set():
            report(self._link, Report.ALIVE)
            await self.on_tick(0)
            with suppress(TimeoutError):
                async with asyncio.timeout(ALIVE_S):
                    await self._drains.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then end the application."""
        alive = asyncio.create_task(self._say_alive())
        stopping = self._application.stopping
        stopping.is_announced = True
        self._close_listeners()
        stopping.streams_end.set()
        await self._finish_connections()
        for task in self.server_state.tasks:
            task.cancel()
        if self._until_open is not None:
            self._until_open.cancel()
        if self._lifespan is not None:
            await self._lifespan.__aexit__(None, None, None)
        alive.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `startup`: the supervisor says when to end."""
        yield

    @property
    def _application(self) -> Application:
        application = application_of(self.config.loaded_app)
        assert application is not None  # noqa: S101 - the configuration names one
        return application

    # Orders

    def _obey(self) -> None:
        try:
            for what, number, listener in orders(self._link):
                if what is Order.ACCEPT and listener is not None:
                    self._in_task(self._accept_from(number, listener))
                elif what is Order.RELEASE:
                    self._in_task(self._release(number))
                elif what is Order.UNREADY:
                    self._application.stopping.is_announced = True
                else:
                    self._drains.set()
        except EOFError:
            asyncio.get_running_loop().remove_reader(self._link)
            self._drains.set()

    def _in_task(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)

    async def _accept_from(self, number: int, listener: socket.socket) -> None:
        copy = listener.dup()
        server = await asyncio.get_running_loop().create_server(
            partial(self._first_connection, copy), sock=listener, ssl=self.config.ssl, backlog=self.config.backlog
        )
        self._listening[number] = server, copy
        if self._drains.is_set():
            self._close_listeners()

    async def _release(self, number: int) -> None:
        if number in self._listening:
            server, copy = self._listening.pop(number)
            server.close()
            copy.close()

    def _first_connection(self, listener: socket.socket) -> asyncio.Protocol:
        """That of the one connection that a turn of the event loop accepts: there may be more."""
        if listener not in self._looking:
            self._looking.add(listener)
            asyncio.get_running_loop().call_soon(self._accept_more, listener)
        return self._connection()

    def _accept_more(self, listener: socket.socket) -> None:
        self._looking.discard(listener)
        if listener.fileno() >= 0:
            self._accept(listener, ACCEPT_AT_ONCE)

    def _accept(self, listener: socket.socket, at_most: float = math.inf) -> None:
        """Accept what waits."""
        accepted = 0
        with suppress(OSError):  # nothing waits, or no descriptor is left, which the event loop reports
            while accepted < at_most:
                connection, _ = listener.accept()
                connection.setblocking(False)
                self._in_task(self._open(connection))
                accepted += 1

    async def _open(self, connection: socket.socket) -> None:
        with suppress(OSError):  # the client has gone, or its handshake failed
            await asyncio.get_running_loop().connect_accepted_socket(self._connection, connection, ssl=self.config.ssl)

    def _connection(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    # The end

    def _close_listeners(self) -> None:
        """Accept what waits, then close: what is still in the queue of a socket when it closes is reset."""
        while self._listening:
            _, (server, copy) = self._listening.popitem()
            server.close()
            with copy:
                self._accept(copy)

    async def _finish_connections(self) -> None:
        state, lasted_s, looked = self.server_state, 0.0, time.monotonic()
        while state.connections or self._accepting or state.tasks:
            now = time.monotonic()
            lasted_s += min(now - looked, _MOST_LOOK_S)
            looked = now
            for each in list(state.connections):
                connection: Any = each
                connection.drain(closes_idle=lasted_s >= GRACE_S)
                if lasted_s > DRAIN_S or (lasted_s > UNREAD_S and connection.transport.is_closing()):
                    connection.transport.abort()
            if lasted_s > DRAIN_S:
                return
            await asyncio.sleep(_LOOK_S)

    async def _say_ready(self, opened: asyncio.Event) -> None:
        await opened.wait()
        report(self._link, Report.READY)

    async def _say_alive(self) -> None:
        while True:
            report(self._link, Report.ALIVE)
            await asyncio.sleep(ALIVE_S)


class SharedOutageLines(logging.Filter):
    """Lets the supervisor log outages, which the other workers notice too; what it does not take is logged here."""

    def __init__(self, link: socket.socket) -> None:
        super().__init__()
        self._link = link

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged by this process."""
        found: tuple[str, bool] | None = getattr(record, SUBJECT, None)
        if found is None:
            return True
        subject, is_on = found
        return not report_outage(self._link, OutageReport(subject, is_on, record.getMessage()))


def end_with_parent(link: socket.socket) -> None:
    """Make sure that the process ends when the supervisor does, however that ended and whatever this one is doing.

    The end of the link says so, and the server drains; a thread ends a process whose event loop does not. Linux
    continues a stopped process then, so that it can notice, which the supervisor has asked for.
    """

    def wait() -> None:
        poll = select.poll()
        poll.register(link, 0)  # the other end's closing is reported unasked
        poll.poll()
        select.select((), (), (), DRAIN_S + UNREAD_S)  # `time.sleep` fails while libfaketime sets the clock
        os._exit(1)

    threading.Thread(target=wait, name="end with the supervisor", daemon=True).start()
