"""uvicorn, configured: one process or several on one socket, a clean stop, no forwarded header believed unasked."""

from __future__ import annotations

import socket
from types import FrameType

import uvicorn
from uvicorn.supervisors import Multiprocess

from app.http_protocol import HardenedProtocol
from app.settings import Settings

DRAIN_S = 30
KEEP_ALIVE_S = 5
BACKLOG = 2048
MAX_FRAME_BYTES = 1_048_576
"""Of a WebSocket message; a longer one closes the socket with 1009."""


class AddressTaken(Exception):
    """The address cannot be listened on; `str()` says which and why."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises `AddressTaken`. Bound before anything else is touched, so a taken port is told."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not an address"
        raise AddressTaken(f"Cannot listen on {host} port {port}: {reason}. Choose another with --port.") from error
    listener.set_inheritable(True)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a browser on this machine finds the gateway."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{host}:{port}"


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
        return _run_one(config, listener)
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

    def handle_int(self) -> None:
        self.stopped_by_signal = True
        super().handle_int()

    def handle_term(self) -> None:
        self.stopped_by_signal = True
        super().handle_term()


def _run_one(config: uvicorn.Config, listener: socket.socket) -> int:
    server = _Server(config)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return 0
    return 0 if server.started else 1
