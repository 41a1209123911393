"""PostgreSQL notifies of each stored event with the one it follows: streams at that position read nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager

import asyncpg
import orjson
import pytest

from app.postgres_listener import listen
from models.accounts.user import User
from models.errors import EventUnknown
from models.events.event import Event
from models.events.event_stream import EventBatches, EventStreams
from models.events.history import newest_position
from models.events.notified_event import CHANNEL, NotifiedEvent
from models.reads.reads import Reads
from tests.support.databases.databases import insert, migrated, user, viewer_of
from tests.support.databases.many_rows import plant_events
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

DEADLINE_S = 20


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[Gateway]:
    with migrated("postgresql", postgres) as gateway:
        yield gateway


async def new_user(database: Gateway, name: str) -> int:
    """The id of another user."""
    ((id_,),) = [row.values() for row in await database.rows(insert("users", user(name)) + " RETURNING id")]
    return int(id_)


async def stored(database: Gateway, user_id: int) -> list[int]:
    """The ids of the user's events, in their order."""
    rows = await database.rows(f"SELECT id FROM events WHERE user_id = {user_id} ORDER BY id")  # noqa: S608 - an integer
    return [row["id"] for row in rows]


@asynccontextmanager
async def notified(database: Gateway, user_id: int) -> AsyncIterator[asyncio.Queue[str]]:
    """What the user's notifications carry from now on, each without the user's id."""
    connection = await asyncpg.connect(database.database_url)
    texts: asyncio.Queue[str] = asyncio.Queue()

    def hear(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        id_, _, text = str(payload).partition(" ")
        if id_ == str(user_id):
            texts.put_nowait(text)

    try:
        await connection.add_listener(CHANNEL, hear)
        yield texts
    finally:
        await connection.close()


@asynccontextmanager
async def listening(database: Gateway) -> AsyncIterator[EventStreams]:
    """The streams of this process, once notifications arrive."""
    async with database.models():
        streams = EventStreams(Reads())
        listener = asyncio.create_task(listen(database.database_url or "", streams, has_own_url=True))
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not streams.is_notified:  # noqa: ASYNC110 - nothing announces it
                    await asyncio.sleep(0.01)
            yield streams
        finally:
            listener.cancel()


async def waits(*streams: EventBatches) -> None:
    """Return when all of these streams wait for news."""
    while any(stream.news is None for stream in streams):  # noqa: ASYNC110 - nothing announces it
        await asyncio.sleep(0.01)


async def test_a_notification_says_what_happened_and_after_which_event(database: Gateway) -> None:
    """One for each event of a statement; it says neither from which address nor to which endpoint."""
    id_ = await new_user(database, "chain")
    async with database.models(), notified(database, id_) as texts, asyncio.timeout(DEADLINE_S):
        await plant_events(database, id_, ["first"])
        await plant_events(database, id_, ["second", 'a "third"', "🗄" * 255])
        each = [NotifiedEvent.of_json(id_, await texts.get()) for _ in range(4)]

        rows = await Event.filter(user_id=id_).order_by("id")

    shown = ("user_id", "kind", "destination_id", "label", "changed_fields", "protocol", "reachable", "token_name",
             "granted", "occurred_at")  # fmt: skip
    for one, row in zip(each, rows, strict=True):
        assert [getattr(one.event, name) for name in shown] == [getattr(row, name) for name in shown]
        assert not any(hasattr(one.event, name) for name in ("address", "request_id", "new_endpoint"))
    ids = [row.id for row in rows]
    assert [(one.previous, one.event.id) for one in each] == list(zip([0, *ids], ids, strict=False))


async def test_what_is_too_long_or_too_much_at_once_is_left_to_a_read(database: Gateway) -> None:
    """PostgreSQL takes less than 8,000 bytes, and a statement may store a million events."""
    id_ = await new_user(database, "bulk")
    long = {
        "user_id": str(id_),
        "kind": "'access_granted'",
        "destination_id": "1",
        "label": "'x'",
        "protocol": "'rest'",
    }
    async with database.models(), notified(database, id_) as texts, asyncio.timeout(DEADLINE_S):
        await plant_events(database, id_, [f"{n}" for n in range(9)])
        of_many = await texts.get()
        await database.rows(
            insert("events", long | {"granted": "to_json(repeat('x', 8000))::text", "occurred_at": "now()"})
        )
        of_long = await texts.get()
        await plant_events(database, id_, ["next"])
        following = NotifiedEvent.of_json(id_, await texts.get())

    ids = await stored(database, id_)
    assert (of_many, of_long) == ("", "")
    assert (following.previous, following.event.id) == (ids[-2], ids[-1])


async def test_the_first_event_after_a_pruned_history_follows_the_last_pruned_one(database: Gateway) -> None:
    id_ = await new_user(database, "pruned")
    await plant_events(database, id_, ["old", "older than that"])
    pruned = (await stored(database, id_))[-1]
    async with database.models(), notified(database, id_) as texts, asyncio.timeout(DEADLINE_S):
        await User.filter(id=id_).update(pruned_event_id=pruned)
        await Event.filter(user_id=id_).delete()
        await plant_events(database, id_, ["new"])
        first = NotifiedEvent.of_json(id_, await texts.get())

    assert first.previous == pruned


async def test_a_stream_at_the_position_before_takes_the_notified_event_and_any_other_reads(database: Gateway) -> None:
    """A notified event that no table has reaches the stream that it follows, so there was no read."""
    id_ = await new_user(database, "reader")
    await plant_events(database, id_, ["read"])
    (first,) = await stored(database, id_)

    async def send(previous: int, event_id: int, label: str) -> None:
        payload = [previous, event_id, "deleted", 1, label, "", "rest", None, None, None, 1.5e9]
        await database.rows(f"SELECT pg_notify('{CHANNEL}', '{id_} {orjson.dumps(payload).decode()}')")

    async with listening(database) as streams, asyncio.timeout(DEADLINE_S):
        viewer = viewer_of(await User.get(id=id_))
        async with (
            aclosing(streams.batches(viewer, after=None)) as at_end,
            aclosing(streams.batches(viewer, after=0)) as behind,
        ):
            assert [event.label for event in (await anext(behind)).events] == ["read"]
            waiting = [asyncio.create_task(anext(stream)) for stream in (at_end, behind)]
            await waits(at_end, behind)
            await send(first, first + 1, "of the notification")
            batches = await asyncio.gather(*waiting)

            assert [[event.label for event in batch.events] for batch in batches] == [["of the notification"]] * 2
            assert batches[0] is batches[1]

            await send(first + 7, first + 8, "behind one that is missing")
            with pytest.raises(EventUnknown):  # as the table has it, which was read: no such position
                await anext(at_end)


async def test_streams_have_every_event_once_and_in_order_whatever_is_notified_in_whatever_sizes(
    database: Gateway,
) -> None:
    """One stream reads along, one pauses, one leaves and resumes: single events, several in a statement, too many."""
    id_ = await new_user(database, "mixed")
    await plant_events(database, id_, ["before"])
    (start,) = await stored(database, id_)
    count = 0
    async with listening(database) as streams, asyncio.timeout(DEADLINE_S):
        viewer = viewer_of(await User.get(id=id_))
        heard: list[list[str]] = [[], [], []]

        async def follow(number: int, pauses: bool) -> None:
            position: int | None = start
            while len(heard[number]) < 60:
                async with aclosing(streams.batches(viewer, after=position)) as stream:
                    async for batch in stream:
                        heard[number] += [event.label for event in batch.events]
                        position = batch.events[-1].id
                        if pauses:
                            await asyncio.sleep(0.02)
                        if len(heard[number]) >= 60 or (number == 2 and len(heard[number]) % 7 == 0):
                            break

        following = [asyncio.create_task(follow(number, number == 1)) for number in range(3)]
        for size in (1, 1, 3, 9, 1, 40, 1, 1, 2, 1):
            await plant_events(database, id_, [f"{count + n}" for n in range(size)])
            count += size
        await asyncio.gather(*following)
        assert await newest_position(id_) == (await stored(database, id_))[-1]

    assert count == 60
    assert heard == [[f"{n}" for n in range(60)]] * 3


async def test_a_change_of_this_process_wakes_its_streams_when_notifications_do_not_arrive(database: Gateway) -> None:
    """Behind a pooler, say, or while the connection is made anew."""
    id_ = await new_user(database, "unheard")
    async with database.models(), asyncio.timeout(DEADLINE_S):
        streams = EventStreams(Reads())
        async with aclosing(streams.batches(viewer_of(await User.get(id=id_)), after=0)) as stream:
            waiting = asyncio.create_task(anext(stream))
            await waits(stream)
            await plant_events(database, id_, ["stored"])
            streams.note_change(id_)
            assert [event.label for event in (await waiting).events] == ["stored"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[1", "[1,2,3]", '[0,1,"unheard of",1,"x","","rest",null,null,null,1]']
)
async def test_what_another_release_writes_is_read_instead(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the class is what the streams catch
        NotifiedEvent.of_json(1, text)
