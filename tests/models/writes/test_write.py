"""Writes in one statement: what is changed between the look and the write is kept, and events stay in commit order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import asyncpg
import pytest
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from models.accounts.user import User
from models.accounts.viewer import Viewer
from models.clock import current_second
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.table import BackupDestination
from models.errors import DestinationForbidden
from models.events.event import EventKind
from models.writes.write import Writes
from tests.support.api.writes import RAW, SERVICE
from tests.support.databases.databases import migrated, viewer_of
from tests.support.databases.meanwhile import events_of, meanwhile, somebody_waits
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

AMAZON = {**RAW[DestinationKind.AMAZON_S3], Attribute.KIND: DestinationKind.AMAZON_S3, Attribute.LABEL: "First"}


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[Gateway]:
    """A PostgreSQL of these tests alone: the embedded database writes by jobs alone."""
    with migrated("postgresql", postgres) as gateway:
        yield gateway


@pytest.fixture
async def viewer(database: Gateway) -> AsyncIterator[Viewer]:
    """A user without destinations, with the models open."""
    async with database.models():
        yield viewer_of(await User.create(email=f"{uuid4().hex}@example.com", name="Ada", created_at=current_second()))


async def test_a_change_of_what_somebody_else_has_just_changed_keeps_both(viewer: Viewer, database: Gateway) -> None:
    """It has seen the row as it was before, and waited for it: it is done anew, on the row as it is now."""
    row = await SERVICE.create(viewer, AMAZON)

    async with meanwhile(database, "UPDATE backup_destinations SET label = 'Theirs' WHERE id = $1", row.id):
        task = asyncio.create_task(SERVICE.update(viewer, row.id, {Attribute.REGION: "eu-late-1"}))
    changed = await task

    assert (changed.label, changed.region) == ("Theirs", "eu-late-1")
    assert (await events_of(viewer))[1:] == [(EventKind.UPDATED, "Theirs", "region")]


async def test_a_change_is_judged_on_the_row_as_it_is_when_it_happens(viewer: Viewer, database: Gateway) -> None:
    """What somebody else has made the same meanwhile is no change of ours."""
    row = await SERVICE.create(viewer, AMAZON)

    async with meanwhile(database, "UPDATE backup_destinations SET label = 'Same' WHERE id = $1", row.id):
        task = asyncio.create_task(SERVICE.update(viewer, row.id, {Attribute.LABEL: "Same"}))

    assert (await task).label == "Same"
    assert len(await events_of(viewer)) == 1


async def test_an_event_takes_its_place_once_its_user_is_locked(viewer: Viewer, database: Gateway) -> None:
    """An act that waits for another one of the same user has no id for its event yet: it comes after the other's."""
    row = await SERVICE.create(viewer, AMAZON)
    theirs = (
        "WITH held AS (UPDATE users SET revision = revision + 1 WHERE id = $1 RETURNING id) INSERT INTO events "
        "(user_id, kind, destination_id, label, protocol, occurred_at) "
        "SELECT id, 'checked', 1, 'x', 'rest', now() FROM held"
    )
    for act in (
        SERVICE.create(viewer, AMAZON),
        SERVICE.update(viewer, row.id, {Attribute.LABEL: "Second"}),
        SERVICE.delete(viewer, row.id),
    ):
        async with meanwhile(database, theirs, viewer.user_id):
            newest = await database.rows("SELECT last_value AS n FROM events_id_seq")
            task = asyncio.ensure_future(act)
            await somebody_waits(database)
            assert await database.rows("SELECT last_value AS n FROM events_id_seq") == newest
        await task

    kinds = [kind for kind, _, _ in await events_of(viewer)]
    assert kinds[1:] == ["checked", "created", "checked", "updated", "checked", "deleted"]


async def test_a_refusal_of_the_database_leaves_neither_row_nor_event(viewer: Viewer) -> None:
    """The constraints are asked when a row is written by a statement, too."""
    row = BackupDestination(uid=uuid4(), user_id=viewer.user_id, created_at=current_second())
    row.update_from_dict({"label": "x", "kind": DestinationKind.AMAZON_S3, "updated_at": row.created_at})

    with pytest.raises(IntegrityError):
        await Writes().add(viewer, row)

    assert await events_of(viewer) == []
    assert await BackupDestination.filter(user_id=viewer.user_id).count() == 0


async def test_a_row_that_moved_away_is_not_removed(viewer: Viewer, database: Gateway) -> None:
    """Whose it is counts when it is removed."""
    row = await SERVICE.create(viewer, AMAZON)
    other = await User.create(email=f"{uuid4().hex}@example.com", name="Grace", created_at=current_second())

    async with meanwhile(database, "UPDATE backup_destinations SET user_id = $2 WHERE id = $1", row.id, other.id):
        task = asyncio.create_task(SERVICE.delete(viewer, row.id))
    with pytest.raises(DestinationForbidden):
        await task

    assert await BackupDestination.filter(user_id=other.id).count() == 1


async def test_a_removal_of_another_users_row_is_refused_without_a_lock(viewer: Viewer, database: Gateway) -> None:
    """It waits for nothing that holds the row, so that no lock of the owner's makes its refusal a time-out."""
    row = await SERVICE.create(viewer, AMAZON)
    stranger = viewer_of(
        await User.create(email=f"{uuid4().hex}@example.com", name="Grace", created_at=current_second())
    )
    assert database.address.url is not None
    holder = await asyncpg.connect(database.address.url)
    try:
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM backup_destinations WHERE id = $1 FOR UPDATE", row.id)
            with pytest.raises(DestinationForbidden):
                await SERVICE.delete(stranger, row.id)
            with pytest.raises(DestinationForbidden):
                await SERVICE.delete(stranger, row.id, expected_version=1)
            with pytest.raises(DestinationForbidden):
                async with in_transaction():
                    await Writes().remove(stranger, row.id)
    finally:
        await holder.close()
