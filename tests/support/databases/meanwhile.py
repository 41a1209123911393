"""What somebody else does in the middle of an act on PostgreSQL, and what the act has left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from models.accounts.viewer import Viewer
from models.events.event import Event, EventKind
from tests.support.gateway.gateway import Gateway

WAITING = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@asynccontextmanager
async def meanwhile(database: Gateway, statement: str, *values: object) -> AsyncIterator[None]:
    """Somebody else's statement in a transaction that is committed at the end, once somebody waits for it."""
    assert database.address.url is not None
    connection = await asyncpg.connect(database.address.url)
    try:
        async with connection.transaction():
            await connection.execute(statement, *values)
            yield
            await somebody_waits(database)
    finally:
        await connection.close()


async def somebody_waits(database: Gateway) -> None:
    """Wait until a statement waits for a lock."""
    for _ in range(150):
        if (await database.rows(WAITING))[0]["n"]:
            return
        await asyncio.sleep(0.01)
    pytest.fail("nobody waits for a lock")


async def events_of(viewer: Viewer) -> list[tuple[EventKind, str, str]]:
    """What happened to the viewer's destinations, in order."""
    events = await Event.filter(user_id=viewer.user_id).order_by("id")
    return [(event.kind, event.label, event.changed_fields) for event in events]
