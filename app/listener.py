"""Listens to PostgreSQL's NOTIFY on a connection of its own and wakes the streams; only a hint, polling is the net."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from models.engines.asyncpg import CONNECT_S, UNAVAILABLE
from models.event_stream import EventStreams

CHANNEL = "moorings_events"
RETRY_S = 0.5
logger = logging.getLogger("moorings.events")


@asynccontextmanager
async def listening(url: str | None, streams: EventStreams) -> AsyncIterator[None]:
    """Keep a listening connection while the gateway runs; without a URL there is nothing to listen to."""
    if url is None:
        yield
        return
    task = asyncio.create_task(_listen(url, streams), name="event listener")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _listen(url: str, streams: EventStreams) -> None:
    while True:
        with suppress(*UNAVAILABLE):
            await _listen_once(url, streams)
        await asyncio.sleep(RETRY_S)


async def _listen_once(url: str, streams: EventStreams) -> None:
    """Listen first, then let everybody read: what happened in between is in the table. Ends with the connection."""
    lost = asyncio.Event()
    settings = {"application_name": "moorings listener"}
    connection = await asyncpg.connect(url, timeout=CONNECT_S, server_settings=settings)
    try:
        connection.add_termination_listener(lambda _connection: lost.set())
        await connection.add_listener(CHANNEL, lambda _c, _pid, _channel, payload: streams.wake([int(payload)]))
        streams.wake()
        await lost.wait()
    finally:
        connection.terminate()
