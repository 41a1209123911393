"""Listens to PostgreSQL's NOTIFY on a connection of its own and wakes the streams; only a hint, polling is the net."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

import asyncpg

from models.accounts.user import User
from models.database.connecting.notifications import notifications_arrive
from models.database.connecting.servers import connect
from models.database.pooled_connections import UNAVAILABLE
from models.database.postgresql import postgresql_behind
from models.errors import DatabaseUnavailable
from models.events.check_began import CHANNEL as CHECKS
from models.events.check_began import CheckBegan
from models.events.event_stream import EventStreams
from models.events.notified_event import CHANNEL as EVENTS
from models.outage import Outage, cause_of

RETRY_S = 0.5
UNHEARD = (
    "Notifications of PostgreSQL do not arrive, as behind a pooler in transaction mode: events of other processes come "
    "up to a second later. Set MOORINGS_LISTEN_DATABASE_URL to a URL of PostgreSQL itself."
)
logger = logging.getLogger("moorings")


async def listen(url: str, streams: EventStreams, *, has_own_url: bool) -> None:
    """Keep a listening connection, without end.

    `has_own_url`: the URL is not that of the pool, whose outages are logged there.
    """
    outage = Outage(
        begins="The connection that listens for events cannot be made; they come up to a second later",
        ends="The connection that listens for events is there again",
    )
    while True:
        try:
            await _listen_once(url, streams, outage)
        except (*UNAVAILABLE, asyncpg.PostgresError, ValueError, OverflowError) as error:
            # The last two: a URL that asyncpg cannot read.
            if has_own_url or not isinstance(error, UNAVAILABLE):
                outage.begin(cause_of(error))
        await asyncio.sleep(RETRY_S)


async def _listen_once(url: str, streams: EventStreams, outage: Outage) -> None:
    """Listen first, then let everybody read: what happened in between is in the table. Ends with the connection."""
    lost = asyncio.Event()
    settings = {"application_name": "moorings listener"}
    connection = await connect(url, server_settings=settings, statement_cache_size=0)
    try:
        connection.add_termination_listener(lambda _connection: lost.set())
        await connection.add_listener(EVENTS, lambda _c, _pid, _channel, payload: _notify(streams, payload))
        await connection.add_listener(CHECKS, lambda _c, _pid, _channel, payload: _tell(streams, payload))
        streams.wake()
        outage.end()
        database = postgresql_behind(User)
        with suppress(DatabaseUnavailable):  # the pool has said so
            if database is not None:
                streams.is_notified = await notifications_arrive(connection, database.execute_script)
                if not streams.is_notified:
                    logger.warning(UNHEARD)
        await lost.wait()
    finally:
        if streams.is_notified:
            streams.is_notified = False
            streams.wake()  # of what the connection did not bring any more
        connection.terminate()


def _notify(streams: EventStreams, payload: object) -> None:
    """Give the streams of a user an event, or let them read it; a process of another version may write another form."""
    user_id, _, text = str(payload).partition(" ")
    with suppress(ValueError):
        streams.notify(int(user_id), text)


def _tell(streams: EventStreams, payload: object) -> None:
    """Tell the streams of a check that began; a process of another version may write another form."""
    with suppress(ValueError):
        streams.check_began(CheckBegan.of_payload(str(payload)))
