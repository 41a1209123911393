"""What no notification tells of is found by the poll, which wakes those streams alone that lack an event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from models.accounts.token import Token
from models.accounts.user import User
from models.events.event_stream import EventBatches, EventStreams
from models.reads.reads import Reads
from tests.support.databases.databases import ENGINES, migrated, viewer_of
from tests.support.databases.many_rows import plant_events
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

DEADLINE_S = 20


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    with migrated(request.param, postgres) as gateway:
        yield gateway


async def stream_of(streams: EventStreams, user_id: int) -> EventBatches:
    """A stream of the user from the end of the history on."""
    token = await Token.filter(user_id=user_id).first()
    assert token is not None
    viewer = viewer_of(await User.get(id=user_id))._replace(token_id=token.id)
    return streams.batches(viewer, after=None)


@pytest.mark.parametrize("count", [1, 40])
async def test_the_poll_wakes_the_streams_that_lack_an_event_and_no_others(database: Gateway, count: int) -> None:
    """A changed revision alone, as a change leaves it of which the notification has come, has nothing read."""
    account, other = await database.new_user(), await database.new_user()
    labels = [f"{n}" for n in range(count)]
    async with database.models(), asyncio.timeout(DEADLINE_S):
        streams = EventStreams(Reads())
        async with (
            aclosing(await stream_of(streams, account.user_id)) as behind,
            aclosing(await stream_of(streams, other.user_id)) as at_end,
        ):
            heard: list[str] = []

            async def listen() -> None:
                async for batch in behind:
                    heard.extend(event.label for event in batch.events)

            waiting = [asyncio.create_task(listen()), asyncio.create_task(anext(at_end))]
            while behind.news is None or at_end.news is None:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.01)
            before = at_end.news
            watch = asyncio.create_task(streams.watch())
            for turn in (1, 2):  # after the second, all tokens were looked up since the revisions changed
                await plant_events(database, account.user_id, labels)
                await database.rows("UPDATE users SET revision = revision + 1")
                while len(heard) < turn * count:  # noqa: ASYNC110 - nothing announces it
                    await asyncio.sleep(0.01)
            assert at_end.news is before
            assert not before.done()
            for task in (*waiting, watch):
                task.cancel()
            await asyncio.gather(*waiting, watch, return_exceptions=True)

    assert heard == labels * 2
