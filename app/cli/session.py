"""What every command that needs the database does first: read the settings, migrate, open, and say so in the audit."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import click

from app import database
from app.embedded_file import check_embedded_file
from app.logs import configure_logs
from app.settings import Settings, load_settings
from models.audit.entry import AuditKind
from models.audit.operator import operator
from models.audit.recording import record

Result = TypeVar("Result")


def with_database(
    act: Callable[[Settings], Awaitable[Result]], *, is_audited: bool = True, is_dry: bool = False
) -> Result:
    """Run `act` on the open, migrated database; works beside a running server.

    The audit names the command before it begins, without its arguments. A dry run makes and migrates no database: for
    one that is not there or has no tables yet it uses a temporary one, and raises `MigrationsMissing` for an old one.
    """

    async def run() -> Result:
        check_embedded_file(settings.address, has_own_keys=settings.secret_keys is not None)
        if is_dry and not await _is_new(settings.address):
            await database.require_migrated(settings.address)
            return await opened(settings.address)
        if is_dry:
            with _temporary_database() as address:
                await database.migrate(address)
                return await opened(address)
        await database.migrate(settings.address)
        return await opened(settings.address)

    async def opened(address: database.DatabaseAddress) -> Result:
        async with database.open_database(address):
            if is_audited:
                await record(operator(), AuditKind.COMMAND_RUN, command)
            return await act(settings)

    settings, command = load_settings(), click.get_current_context().command_path
    configure_logs("WARNING", settings.log_format)
    return asyncio.run(run())


async def _is_new(address: database.DatabaseAddress) -> bool:
    """Whether there is no database yet, or one without a single migration."""
    if address.path is not None and not address.path.exists():
        return True
    return await database.missing_migrations(address) == database.migration_names()


@contextmanager
def _temporary_database() -> Iterator[database.DatabaseAddress]:
    """An embedded database that is removed at the end."""
    text = "moorings: there is no database yet, and none is made: the dry run uses a temporary one."
    print(text, file=sys.stderr)
    with TemporaryDirectory(prefix="moorings-") as directory:
        yield database.DatabaseAddress(path=Path(directory) / "moorings.db")
