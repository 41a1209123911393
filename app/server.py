"""uvicorn, configured: one process or several on one socket, a clean stop, no forwarded header believed unasked."""

from __future__ import annotations

import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from uvicorn.supervisors import Multiprocess

from app.address import BACKLOG
from app.http_protocol import HardenedProtocol
from app.settings import Settings, share_metrics

DRAIN_S = 30
KEEP_ALIVE_S = 5
MAX_FRAME_BYTES = 1_048_576
"""Of a WebSocket message; a longer one closes the socket with 1009."""


def run(settings: Settings, listener: socket.socket, *, workers: int) -> int:
    """Serve until SIGTERM or Ctrl-C, then finish the requests under way; returns the exit status."""
    config = uvicorn.Config(
        "app.main:create_app_from_environment",
        factory=True,
        workers=workers,
        loop="uvloop",
        http=HardenedProtocol,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
        backlog=BACKLOG,
    )
    if workers == 1:
        share_metrics(None)
        return _run_one(config, listener)
    with tempfile.TemporaryDirectory(prefix="moorings-metrics-", ignore_cleanup_errors=True) as directory:
        share_metrics(directory)
        supervisor = _Workers(config, [listener])
        supervisor.run()
    return 0 if supervisor.stopped_by_signal else 1


class _Server(uvicorn.Server):
    """A stop that was asked for is a success; uvicorn would raise the signal again at the end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._captured_signals.clear()


class _Workers(Multiprocess):
    """uvicorn's supervisor, which ends quietly and says whether it was asked to."""

    stopped_by_signal = False

    def init_processes(self) -> None:
        with _ctrl_c_ignored():
            super().init_processes()

    def handle_int(self) -> None:
        self.stopped_by_signal = True
        super().handle_int()

    def handle_term(self) -> None:
        self.stopped_by_signal = True
        super().handle_term()


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """What a process that is started meanwhile begins with, until its server knows what to do with Ctrl-C.

    A terminal sends it to all processes; one that has not got further than its imports would show a traceback. The
    supervisor gets it too, and ends the others.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run_one(config: uvicorn.Config, listener: socket.socket) -> int:
    server = _Server(config)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return 0
    return 0 if server.started else 1
