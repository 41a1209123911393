"""`moorings serve` and `moorings migrate`."""

from __future__ import annotations

import asyncio
import logging
import sys

import click

from app import database
from app.logs import configure_logs
from app.settings import load_settings

MAX_WORKERS = 256


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="The port; 0 takes a free one."
)
@click.option(
    "--workers", type=click.IntRange(1, MAX_WORKERS), default=1, show_default=True, help="How many processes."
)
def serve(host: str, port: int, workers: int) -> None:
    """Migrate, then serve until SIGTERM or Ctrl-C.

    The first start on an empty embedded database makes a user and prints its token once.
    """
    from app.first_run import prepare, welcome
    from app.server import run
    from web.server.sockets import bind, url_of

    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    listeners = bind(host, port, workers=workers)
    url = url_of(listeners[0])
    token = asyncio.run(prepare(settings))
    if token is not None:
        print(welcome(url, token), flush=True)
    logging.getLogger("moorings").info("Moorings serves %s on %s", settings.address.origin, url)
    sys.exit(run(settings, listeners, workers=workers))


@click.command()
def migrate() -> None:
    """Apply the migrations that are missing, and exit."""
    settings = load_settings()
    configure_logs("WARNING", settings.log_format)
    asyncio.run(database.migrate(settings.address))
    print(f"moorings: {settings.address.origin} is up to date.", file=sys.stderr)
