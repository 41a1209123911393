"""What every command that needs the database does first: read the settings, migrate, open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app import database
from app.logs import configure_logs
from app.settings import Settings, load_settings

Result = TypeVar("Result")


def with_database(act: Callable[[Settings], Awaitable[Result]]) -> Result:
    """Run `act` on the open, migrated database; works beside a running server."""

    async def run() -> Result:
        await database.migrate(settings.address)
        async with database.open_database(settings.address):
            return await act(settings)

    settings = load_settings()
    configure_logs("WARNING", settings.log_format)
    return asyncio.run(run())
