"""What every command that needs the database does first: read the settings, migrate, open, and say so in the audit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
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


def with_database(act: Callable[[Settings], Awaitable[Result]], *, is_audited: bool = True) -> Result:
    """Run `act` on the open, migrated database; works beside a running server.

    The audit names the command before it begins, without its arguments.
    """

    async def run() -> Result:
        check_embedded_file(settings.address, has_own_keys=settings.secret_keys is not None)
        await database.migrate(settings.address)
        async with database.open_database(settings.address):
            if is_audited:
                await record(operator(), AuditKind.COMMAND_RUN, command)
            return await act(settings)

    settings, command = load_settings(), click.get_current_context().command_path
    configure_logs("WARNING", settings.log_format)
    return asyncio.run(run())
