"""The row that a change is applied to is the same on both databases as the ORM has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import uuid4

import pytest

from models.accounts.user import User
from models.accounts.viewer import Viewer
from models.clock import current_second
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.table import BackupDestination
from models.writes.write import Writes
from tests.support.api.writes import RAW, SERVICE
from tests.support.databases.databases import ENGINES, migrated, viewer_of
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

KINDS = list(DestinationKind)


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A database of each engine for these tests alone."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


@pytest.fixture
async def viewer(database: Gateway) -> AsyncIterator[Viewer]:
    """A user without destinations, with the models open."""
    async with database.models():
        yield viewer_of(await User.create(email=f"{uuid4().hex}@example.com", name="Ada", created_at=current_second()))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_change_begins_with_the_row_as_the_orm_reads_it(viewer: Viewer, kind: DestinationKind) -> None:
    """Column by column, the types too: the row is made without the ORM, from the columns of either database."""
    seen: list[BackupDestination] = []
    created = await SERVICE.create(viewer, {**RAW[kind], Attribute.KIND: kind, Attribute.LABEL: "First"})
    await BackupDestination.filter(id=created.id).update(checked_at=current_second(), last_check="{}")

    def look(row: BackupDestination) -> Sequence[Attribute]:
        seen.append(row)
        return ()

    await Writes().change(viewer, created.id, look)

    columns = BackupDestination._meta.fields_db_projection
    found, wanted = seen[0], await BackupDestination.get(id=created.id)
    assert {name: getattr(found, name) for name in columns} == {name: getattr(wanted, name) for name in columns}
    exact = {name for name in columns if isinstance(getattr(wanted, name), str | bool)}
    assert all(isinstance(getattr(found, name), str | bool) for name in exact)
