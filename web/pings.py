"""The pings of all WebSockets of a process, by one timer: one for each would take half a kilobyte of it."""

from __future__ import annotations

import asyncio
from typing import Protocol

TICK_S = 1.0


class Pinged(Protocol):
    """A WebSocket that is kept alive."""

    def keep_alive(self, now: float) -> None:
        """Do what is due at that time, on the clock of the event loop."""


class Pings:
    """The open WebSockets."""

    def __init__(self) -> None:
        self._sockets: set[Pinged] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, socket: Pinged) -> None:
        """Look after a WebSocket from now on."""
        self._sockets.add(socket)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def remove(self, socket: Pinged) -> None:
        """Look no longer after a WebSocket; a second time does nothing."""
        self._sockets.discard(socket)
        if not self._sockets and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK_S, self._tick)
        for socket in list(self._sockets):
            socket.keep_alive(loop.time())
