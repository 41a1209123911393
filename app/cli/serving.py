"""`moorings serve` and `moorings migrate`."""

from __future__ import annotations

import asyncio
import logging
import sys

import click

from app import database
from app.cli.tables import print_json, with_json
from app.cli.token_output import private_file
from app.cli.tokens import revoked_if_lost
from app.embedded_file import check_embedded_file
from app.logs import configure_logs
from app.settings import load_settings
from models.audit.entry import AuditKind
from models.audit.operator import operator
from models.audit.recording import record

MAX_WORKERS = 256
PLAIN_HTTP = (
    "Other machines reach this gateway on %s over plain HTTP, which shows tokens and credentials to the network. Serve "
    "HTTPS with --tls-cert and --tls-key, or behind a proxy that does and is named in MOORINGS_TRUSTED_PROXIES."
)
logger = logging.getLogger("moorings")


_start_anew = click.option(
    "--start-anew", is_flag=True, help="Make a new database beside a key file, or a new key file beside a database."
)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="The port; 0 takes a free one."
)
@click.option(
    "--workers", type=click.IntRange(1, MAX_WORKERS), default=1, show_default=True, help="How many processes."
)
@click.option("--tls-cert", metavar="FILE", help="Serve HTTPS with this certificate and its chain, in PEM.")
@click.option("--tls-key", metavar="FILE", help="The certificate's private key, in PEM, without a password.")
@_start_anew
@click.option("--no-migrate", is_flag=True, help="Apply no migration; needs no right to change the schema.")
@click.option("--print-token", is_flag=True, help="Print the first token also where stdout is no terminal.")
def serve(
    host: str,
    port: int,
    workers: int,
    tls_cert: str | None,
    tls_key: str | None,
    *,
    no_migrate: bool,
    print_token: bool,
    start_anew: bool,
) -> None:
    """Migrate, then serve until SIGTERM or Ctrl-C.

    The first start on an empty embedded database makes a user and prints its token once; where stdout is no terminal
    it writes it to a file beside the database instead, for a log would keep it. SIGHUP replaces the worker processes,
    so that they read the certificate and the program anew, and no request is lost.
    """
    from app.first_run import FIRST_EMAIL, prepare, welcome, welcome_without_token
    from app.processes.start import run
    from app.tracing.opening import check_tracer
    from web.server.sockets import bind, is_loopback, url_of
    from web.server.tls import Certificate

    certificate = None
    if tls_cert is not None and tls_key is not None:
        certificate = Certificate(chain=tls_cert, key=tls_key)
    elif tls_cert is not None or tls_key is not None:
        raise click.UsageError("--tls-cert and --tls-key go together.")
    settings = load_settings()
    check_tracer()
    configure_logs(settings.log_level, settings.log_format)
    if certificate is not None:
        certificate.check()
    listeners = bind(host, port, workers=workers)
    url = url_of(listeners[0], scheme="http" if certificate is None else "https")
    if certificate is None and not settings.trusted_proxies and not is_loopback(listeners[0]):
        logger.warning(PLAIN_HTTP, host)
    preparing = prepare(settings, start_anew=start_anew, may_migrate=not no_migrate)
    token, path = asyncio.run(preparing), settings.address.path
    may_print = print_token or sys.stdout.isatty()
    but = f"; `moorings token create --email {FIRST_EMAIL}` makes another"
    if token is not None and (path is None or may_print):
        with revoked_if_lost(token, but=but):
            print(welcome(url, token), flush=True)
    elif token is not None and path is not None:
        with revoked_if_lost(token, but=but), private_file(path.with_suffix(".token")) as file:
            written = file.write(token)
        print(welcome_without_token(url, written), flush=True)
    logger.info("Moorings serves %s on %s", settings.address.origin, url)
    run(settings, listeners, workers=workers, certificate=certificate)


@click.command()
@_start_anew
@click.option(
    "--check", "only_check", is_flag=True, help="Apply none; exit with 1 when some are missing, and name them."
)
@with_json
def migrate(*, start_anew: bool, only_check: bool, as_json: bool) -> None:
    """Apply the migrations that are missing, and exit."""
    settings = load_settings()
    configure_logs("WARNING", settings.log_format)
    check_embedded_file(settings.address, has_own_keys=settings.secret_keys is not None, start_anew=start_anew)
    missing = asyncio.run(database.missing_migrations(settings.address))
    if not only_check:
        asyncio.run(_migrate(settings.address))
    if as_json:
        print_json({"missing" if only_check else "applied": missing})
    if only_check and missing:
        raise database.MigrationsMissing(missing)
    print(f"moorings: {settings.address.origin} is up to date.", file=sys.stderr)


async def _migrate(address: database.DatabaseAddress) -> None:
    await database.migrate(address)
    async with database.open_database(address):
        await record(operator(), AuditKind.COMMAND_RUN, "moorings migrate")
