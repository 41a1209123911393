"""The program of a worker process: the settings from the environment, uvicorn configured, one application served."""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import socket
import sys

import uvicorn

from app import gc_tuning
from app.logs import configure_logs
from app.main import create_app
from app.settings import Settings, SettingsRefused, load_settings
from models.error_report import where
from models.errors import Refusal
from models.outage import logger as outages
from web.server.protocol import HardenedProtocol
from web.server.sockets import BACKLOG
from web.server.tls import Certificate, CertificateRefused
from web.server.websocket import WebSocketProtocol
from web.server.worker import SharedOutageLines, Worker, end_with_parent

MAX_FRAME_BYTES = 1_048_576
"""Of a WebSocket message; a longer one closes the socket with 1009."""
REFUSED = 78
"""The exit status when the settings, the keys or the certificate cannot be used (`EX_CONFIG` of sysexits.h)."""
logger = logging.getLogger("moorings")


def main() -> int:
    """Serve until the supervisor says to end; returns the exit status."""
    parser = argparse.ArgumentParser(prog="moorings worker")
    parser.add_argument("--tls", nargs=2, metavar=("CHAIN", "KEY"))
    parser.add_argument("link", type=int)
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)  # they are for the supervisor
    link = socket.socket(fileno=given.link)
    link.set_inheritable(False)
    end_with_parent(link)
    try:
        settings = load_settings()
        configure_logs(settings.log_level, settings.log_format)
        outages.addFilter(SharedOutageLines(link))
        certificate = None if given.tls is None else Certificate(chain=given.tls[0], key=given.tls[1])
        if certificate is not None:
            certificate.check()
        Worker(configuration(settings, certificate), link).run()
    except (Refusal, SettingsRefused, CertificateRefused) as refusal:
        logger.error("The worker cannot start: %s", refusal)
        return REFUSED
    except Exception as error:  # noqa: BLE001 - its message may hold values
        logger.critical("The worker failed: %s", where(error))
        return 1
    return 0


def configuration(settings: Settings, certificate: Certificate | None) -> uvicorn.Config:
    """uvicorn with the gateway's protocols; it believes no forwarded header unasked, and logs no request."""
    return uvicorn.Config(
        create_app(settings, when_ready=gc_tuning.settle, waits=True),
        loop="uvloop",
        http=HardenedProtocol,
        lifespan="off",
        ws=WebSocketProtocol,
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=settings.keep_alive_seconds,
        backlog=BACKLOG,
        ssl_certfile=None if certificate is None else certificate.chain,
        ssl_keyfile=None if certificate is None else certificate.key,
    )


if __name__ == "__main__":
    gc.freeze()
    sys.exit(main())
