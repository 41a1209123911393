"""uvicorn, configured: one process or several, a clean stop, no forwarded header believed unasked."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import tempfile
from contextlib import suppress
from types import FrameType

import uvicorn

from app.settings import Settings, share_metrics
from web.server.protocol import HardenedProtocol
from web.server.sockets import BACKLOG
from web.server.tls import Certificate, CertificateRefused
from web.server.websocket import WebSocketProtocol
from web.server.workers import Workers

logger = logging.getLogger("moorings")

DRAIN_S = 30
KEEP_ALIVE_S = 5
WORKER_READY_S = 30
"""How long a worker may take to start, or to answer the parent: on a busy machine a start takes more than the 5 seconds
after which uvicorn kills it and begins again, or calls a restart off."""
MAX_FRAME_BYTES = 1_048_576
"""Of a WebSocket message; a longer one closes the socket with 1009."""


def run(
    settings: Settings, listeners: list[socket.socket], *, workers: int, certificate: Certificate | None = None
) -> int:
    """Serve until SIGTERM or Ctrl-C, then finish the requests under way; returns the exit status.

    `listeners` has one socket for all workers, or one for each. With a certificate the gateway speaks TLS; SIGHUP lets
    new connections have the certificate that is in the files then.
    """
    _raise_descriptor_limit()
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
        timeout_worker_healthcheck=WORKER_READY_S,
        ssl_certfile=None if certificate is None else certificate.chain,
        ssl_keyfile=None if certificate is None else certificate.key,
    )
    if workers == 1:
        share_metrics(None)
        return _run_one(config, listeners[0], certificate)
    with tempfile.TemporaryDirectory(prefix="moorings-metrics-", ignore_cleanup_errors=True) as directory:
        share_metrics(directory)
        supervisor = Workers(config, listeners, may_restart=lambda: certificate is None or _is_usable(certificate))
        supervisor.run()
    return 0 if supervisor.stopped_by_signal else 1


def _raise_descriptor_limit() -> None:
    """Let the process have as many open files, and so connections, as the system allows it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS has a hard limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Server(uvicorn.Server):
    """A stop that was asked for is a success; uvicorn would raise the signal again at the end."""

    def __init__(self, config: uvicorn.Config, certificate: Certificate | None) -> None:
        super().__init__(config)
        self._certificate = certificate

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and from then on SIGHUP reloads the certificate."""
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)

    def _reload(self) -> None:
        if self._certificate is None or self.config.ssl is None:
            logger.info("SIGHUP: there is no certificate to reload.")
            return
        try:
            self._certificate.reload_into(self.config.ssl)
        except CertificateRefused as refused:
            logger.error("SIGHUP: %s The gateway keeps the one it has.", refused)
        else:
            logger.info("SIGHUP: new connections get the certificate in %s.", self._certificate.chain)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._captured_signals.clear()


def _is_usable(certificate: Certificate) -> bool:
    try:
        certificate.check()
    except CertificateRefused as refused:
        logger.error("SIGHUP: %s The workers keep the one they have.", refused)
        return False
    return True


def _run_one(config: uvicorn.Config, listener: socket.socket, certificate: Certificate | None) -> int:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the server handles it
    server = _Server(config, certificate)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return 0
    return 0 if server.started else 1
