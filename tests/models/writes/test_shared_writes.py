"""Writes that go together in one statement: each is done once, whole and by itself, whoever goes with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from tortoise.exceptions import IntegrityError

from models import batcher as batching
from models.accounts.user import User
from models.accounts.viewer import Viewer
from models.clock import current_second
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.table import BackupDestination
from models.errors import DestinationForbidden, DestinationNotFound, OutcomeUnknown, ValidationFailed
from models.events.event import EventKind
from models.writes import write as writing
from models.writes.write import Writes
from tests.support.api.writes import RAW, SERVICE
from tests.support.databases.databases import migrated, update, viewer_of
from tests.support.databases.meanwhile import events_of, meanwhile, somebody_waits
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

AMAZON = {**RAW[DestinationKind.AMAZON_S3], Attribute.KIND: DestinationKind.AMAZON_S3, Attribute.LABEL: "First"}
LOCAL = {Attribute.KIND: DestinationKind.LOCAL, Attribute.LABEL: "First"}
HELD = "SELECT 1 FROM users WHERE id = $1 FOR UPDATE"
STOPPED = "LOCK TABLE events IN EXCLUSIVE MODE"
"""Stops the statement in the middle, when its rows are written and their events are not."""


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[Gateway]:
    """A PostgreSQL of these tests alone: the embedded database writes by transactions only."""
    with migrated("postgresql", postgres) as gateway:
        yield gateway


async def somebody() -> Viewer:
    """A user without destinations."""
    user = await User.create(email=f"{uuid4().hex}@example.com", name="Ada", created_at=current_second())
    return viewer_of(user)


@pytest.fixture
async def viewer(database: Gateway) -> AsyncIterator[Viewer]:
    """Somebody, with the models open."""
    async with database.models():
        yield await somebody()


async def writers_of(viewer: Viewer, database: Gateway) -> int:
    """How many transactions the viewer's rows are of."""
    counted = "SELECT count(DISTINCT xmin::text) AS n FROM backup_destinations"
    (found,) = await database.rows(f"{counted} WHERE user_id = {viewer.user_id}")
    return int(found["n"])


async def test_the_acts_of_one_moment_are_one_transaction(viewer: Viewer, database: Gateway) -> None:
    """Each has its row, its event and its answer."""
    rows = await asyncio.gather(*(SERVICE.create(viewer, AMAZON | {Attribute.LABEL: f"{n}"}) for n in range(9)))
    assert [row.label for row in rows] == [f"{n}" for n in range(9)]
    assert await writers_of(viewer, database) == 1

    changed = await asyncio.gather(*(SERVICE.update(viewer, row.id, {Attribute.LABEL: f"{row.id}"}) for row in rows))

    assert [(row.id, row.label) for row in changed] == [(row.id, f"{row.id}") for row in rows]
    assert await writers_of(viewer, database) == 1
    events = await events_of(viewer)
    assert sorted(events[:9]) == [(EventKind.CREATED, f"{n}", "") for n in range(9)]
    assert sorted(events[9:]) == sorted((EventKind.UPDATED, f"{row.id}", "label") for row in rows)
    assert (await User.get(id=viewer.user_id)).destination_count == 9


async def test_a_change_leaves_every_other_column_as_it_was(viewer: Viewer, database: Gateway) -> None:
    """Secrets, texts of any kind, the first and the last moment there is, and what is not there."""
    row, local = await asyncio.gather(*(SERVICE.create(viewer, raw) for raw in (AMAZON, LOCAL)))
    odd = {"last_check": '\'{"ü": "\\\\n\n🙂"}\'', "claim": "'''\\\"'", "reachability": "'checking'"}
    odd |= {"checked_at": "'0001-01-01 UTC'", "claimed_until": "'9999-12-31 23:59:59.999999 UTC'"}
    await database.rows(update("backup_destinations", odd, f"id = {row.id}"))
    before = [await BackupDestination.get(id=each.id) for each in (row, local)]

    label = {Attribute.LABEL: 'Ünï\n"\\🙂'}
    await asyncio.gather(*(SERVICE.update(viewer, each.id, label) for each in (row, local)))

    for known in before:
        now = await BackupDestination.get(id=known.id)
        assert now.label == label[Attribute.LABEL]
        now.label, now.updated_at, now.version = known.label, known.updated_at, known.version
        names = BackupDestination._meta.fields_db_projection
        assert {name: getattr(now, name) for name in names} == {name: getattr(known, name) for name in names}


async def test_an_act_that_the_database_refuses_spoils_no_other(viewer: Viewer) -> None:
    """It alone learns of it."""
    now = current_second()
    rows = [BackupDestination(uid=uuid4(), user_id=viewer.user_id, created_at=now, updated_at=now) for _ in range(3)]
    for row, kind in zip(rows, (DestinationKind.LOCAL, DestinationKind.AMAZON_S3, DestinationKind.LOCAL), strict=True):
        row.label, row.kind = "x", kind
    writes = Writes()

    outcomes = await asyncio.gather(*(writes.add(viewer, row) for row in rows), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [type(None), IntegrityError, type(None)]
    assert await BackupDestination.filter(user_id=viewer.user_id).count() == 2
    assert len(await events_of(viewer)) == 2


async def test_whom_somebody_keeps_waits_alone(viewer: Viewer, database: Gateway) -> None:
    """A row that is locked, or its user, keeps back neither a creation nor a change of somebody else's."""
    other, row = await somebody(), await SERVICE.create(viewer, AMAZON)
    theirs = await SERVICE.create(other, AMAZON)
    label = {Attribute.LABEL: "Second"}
    for statement, kept in ((HELD, viewer.user_id), (HELD.replace("users", "backup_destinations"), row.id)):
        label = {Attribute.LABEL: label[Attribute.LABEL] + "!"}
        async with meanwhile(database, statement, kept):
            task = asyncio.create_task(SERVICE.update(viewer, row.id, label))
            await asyncio.gather(SERVICE.update(other, theirs.id, label), SERVICE.create(other, AMAZON))
            assert not task.done()
        assert (await task).label == label[Attribute.LABEL]

    async with meanwhile(database, HELD, viewer.user_id):
        created = asyncio.create_task(SERVICE.create(viewer, AMAZON))
        await SERVICE.create(other, AMAZON)
        assert not created.done()
    assert (await created).user_id == viewer.user_id
    assert [kind for kind, _, _ in await events_of(viewer)] == ["created", "updated", "updated", "created"]


async def test_changes_of_one_row_at_one_moment_are_all_kept(viewer: Viewer) -> None:
    """The first is done together with others, and the rest on what it left."""
    row = await SERVICE.create(viewer, AMAZON)
    changes = ({Attribute.LABEL: "Second"}, {Attribute.REGION: "eu-late-1"}, {Attribute.BUCKET_NAME: "other"})

    await asyncio.gather(*(SERVICE.update(viewer, row.id, change) for change in changes))

    now = await SERVICE.get(viewer, row.id)
    assert (now.label, now.region, now.bucket_name) == ("Second", "eu-late-1", "other")
    assert sorted(fields for _, _, fields in await events_of(viewer)) == ["", "bucket_name", "label", "region"]


async def test_changes_of_few_rows_share_statements(
    viewer: Viewer, database: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of one row follow each other, each beside those of other rows: none waits for the lock of another.

    Each waits for the one before, however long a busy machine takes for it.
    """
    monkeypatch.setattr(batching, "SLOW_S", 60.0)
    monkeypatch.setattr(writing, "TURN_S", 60.0)
    rows = await asyncio.gather(*(SERVICE.create(viewer, AMAZON) for _ in range(8)))

    await asyncio.gather(
        *(SERVICE.update(viewer, row.id, {Attribute.LABEL: f"{number}"}) for number in range(6) for row in rows)
    )

    assert len(await events_of(viewer)) == 8 + 48
    counted = "SELECT count(DISTINCT xmin::text) AS n FROM events"
    (found,) = await database.rows(f"{counted} WHERE user_id = {viewer.user_id} AND kind = 'updated'")
    assert int(found["n"]) <= 16
    assert {row.label for row in await BackupDestination.filter(user_id=viewer.user_id)} == {"5"}


async def test_no_change_is_lost_among_those_of_others(viewer: Viewer, database: Gateway) -> None:
    """Somebody writes past the service the whole time; whatever each has written is there."""
    rows = await asyncio.gather(*(SERVICE.create(viewer, AMAZON) for _ in range(4)))

    async def lengthen(id_: int) -> None:
        for _ in range(40):
            await database.rows(update("backup_destinations", {"region": "region || 'x'"}, f"id = {id_}"))

    async def rename(id_: int) -> None:
        for n in range(40):
            await SERVICE.update(viewer, id_, {Attribute.LABEL: f"turn {n}"})

    await asyncio.gather(*(act(row.id) for row in rows for act in (lengthen, rename)))

    for row in rows:
        now = await SERVICE.get(viewer, row.id)
        assert (now.label, now.region) == ("turn 39", "eu-north-1" + 40 * "x")
    assert len(await events_of(viewer)) == 4 + 4 * 40


async def test_a_lost_connection_leaves_nothing_and_nothing_is_done_again(viewer: Viewer, database: Gateway) -> None:
    """The outcome of all of the statement is unknown to the client."""
    rows = await asyncio.gather(*(SERVICE.create(viewer, AMAZON) for _ in range(3)))
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND datname = current_database()"
    )
    acts = [SERVICE.update(viewer, row.id, {Attribute.LABEL: "Second"}) for row in rows]

    async with meanwhile(database, STOPPED):
        task = asyncio.gather(*acts, return_exceptions=True)
        await somebody_waits(database)
        await database.rows(end)
        outcomes = await task
        assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 3
        last = asyncio.create_task(SERVICE.create(viewer, LOCAL))
    await last

    assert [label for _, label, _ in await events_of(viewer)] == ["First"] * 4


async def test_who_is_cancelled_leaves_when_it_is_settled(viewer: Viewer, database: Gateway) -> None:
    """Nothing happens behind the back of somebody who has given up."""
    async with meanwhile(database, STOPPED):
        task = asyncio.create_task(SERVICE.create(viewer, AMAZON))
        await somebody_waits(database)
        task.cancel()
        await asyncio.wait((task,), timeout=0.05)
        assert not task.done()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len(await events_of(viewer)) == await BackupDestination.filter(user_id=viewer.user_id).count() == 1


async def test_what_was_looked_at_before_does_not_decide(viewer: Viewer, database: Gateway) -> None:
    """A body that comes late is judged by the row as it is then: whether it changes anything, is allowed, and whose."""
    row, other = await SERVICE.create(viewer, LOCAL), await somebody()

    snapshot = await SERVICE.snapshot(viewer, row.id)
    await database.rows(update("backup_destinations", {"label": "'Theirs'"}, f"id = {row.id}"))
    assert (await SERVICE.update(viewer, row.id, {Attribute.LABEL: "First"}, snapshot=snapshot)).label == "First"
    assert len(await events_of(viewer)) == 2

    snapshot = await SERVICE.snapshot(viewer, row.id)
    await SERVICE.update(viewer, row.id, {**AMAZON, Attribute.LABEL: "Bucket"})
    region = {Attribute.REGION: "eu-late-1"}
    assert (await SERVICE.update(viewer, row.id, region, strict=True, snapshot=snapshot)).region == "eu-late-1"
    with pytest.raises(ValidationFailed):
        await SERVICE.update(viewer, row.id, {Attribute.LABEL: ""}, snapshot=snapshot)

    await database.rows(update("backup_destinations", {"user_id": f"{other.user_id}"}, f"id = {row.id}"))
    with pytest.raises(DestinationForbidden):
        await SERVICE.update(viewer, row.id, {Attribute.LABEL: "Mine"}, snapshot=snapshot)
    await BackupDestination.filter(id=row.id).delete()
    with pytest.raises(DestinationNotFound):
        await SERVICE.update(viewer, row.id, {Attribute.LABEL: "Mine"}, snapshot=snapshot)
