"""uvicorn, configured: one process or several, a clean stop, no forwarded header believed unasked."""

from __future__ import annotations

import socket
import tempfile
from types import FrameType

import uvicorn

from app.settings import Settings, share_metrics
from web.server.protocol import HardenedProtocol
from web.server.sockets import BACKLOG
from web.server.websocket import WebSocketProtocol
from web.server.workers import Workers

DRAIN_S = 30
KEEP_ALIVE_S = 5
MAX_FRAME_BYTES = 1_048_576
"""Of a WebSocket message; a longer one closes the socket with 1009."""


def run(settings: Settings, listeners: list[socket.socket], *, workers: int) -> int:
    """Serve until SIGTERM or Ctrl-C, then finish the requests under way; returns the exit status.

    `listeners` has one socket for all workers, or one for each.
    """
    config = uvicorn.Config(
        "app.main:create_app_from_environment",
        factory=True,
        workers=workers,
        loop="uvloop",
        http=HardenedProtocol,
        lifespan="on",
        ws=WebSocketProtocol,
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
        return _run_one(config, listeners[0])
    with tempfile.TemporaryDirectory(prefix="moorings-metrics-", ignore_cleanup_errors=True) as directory:
        share_metrics(directory)
        supervisor = Workers(config, listeners)
        supervisor.run()
    return 0 if supervisor.stopped_by_signal else 1


class _Server(uvicorn.Server):
    """A stop that was asked for is a success; uvicorn would raise the signal again at the end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._captured_signals.clear()


def _run_one(config: uvicorn.Config, listener: socket.socket) -> int:
    server = _Server(config)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return 0
    return 0 if server.started else 1
