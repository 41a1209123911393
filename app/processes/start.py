"""From `moorings serve` to the supervisor: the process becomes it, and keeps its number and its listening sockets.

The command has opened the database, read the keys and loaded every library for that; the supervisor has none of them.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from typing import NoReturn

from app.processes.supervisor import Options
from app.settings import Settings, share_metrics
from web.server.tls import Certificate
from web.server.workers import SIGNALS


def run(
    settings: Settings, listeners: list[socket.socket], *, workers: int, certificate: Certificate | None = None
) -> NoReturn:
    """Serve until SIGTERM or Ctrl-C, then finish the requests under way, and exit.

    `listeners` has one socket for all workers, or one for each. With a certificate the gateway speaks TLS.
    """
    _raise_descriptor_limit()
    worker = [sys.executable, "-P", "-m", f"{__package__}.worker"]
    if certificate is not None:
        worker += ["--tls", certificate.chain, certificate.key]
    directory = None if workers == 1 else tempfile.mkdtemp(prefix="moorings-metrics-")
    share_metrics(directory)
    options = Options(
        worker=worker,
        listeners=[listener.fileno() for listener in listeners],
        workers=workers,
        metrics_directory=directory,
        hang_s=settings.worker_timeout_seconds,
        drain_delay_s=settings.drain_delay_seconds,
        ready_wait_s=settings.database_wait_seconds,
        log_level=settings.log_level,
        log_format=settings.log_format,
    )
    for listener in listeners:
        listener.set_inheritable(True)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # what comes meanwhile waits for the supervisor's handlers
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", Options.__module__, options.to_text()])  # noqa: S606 - itself


def _raise_descriptor_limit() -> None:
    """Let the process have as many open files, and so connections, as the system allows it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS has a hard limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
