"""Listens to PostgreSQL's NOTIFY on a connection of its own and wakes the streams; only a hint, polling is the net."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg

from models.database.pooled_connections import UNAVAILABLE
from models.database.postgresql import CONNECT_S
from models.events.check_began import CHANNEL as CHECKS
from models.events.check_began import CheckBegan
from models.events.event_stream import EventStreams

CHANNEL = "moorings_events"
RETRY_S = 0.5


async def listen(url: str, streams: EventStreams) -> None:
    """Keep a listening connection, without end."""
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
        await connection.add_listener(CHECKS, lambda _c, _pid, _channel, payload: _tell(streams, payload))
        streams.wake()
        await lost.wait()
    finally:
        connection.terminate()


def _tell(streams: EventStreams, payload: object) -> None:
    """Tell the streams of a check that began; a process of another version may write another form."""
    with suppress(ValueError):
        streams.check_began(CheckBegan.of_payload(str(payload)))
