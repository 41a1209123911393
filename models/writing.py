"""The acts that write a destination: its row and its event, together or not at all.

By the models, in a transaction with the row locked; and on PostgreSQL, first of all, in one statement without either.
Of what a change of a label through the models costs the process, two thirds are instances, built queries and five
round trips, each with its turn in the event loop; the statement takes one, and a look at the row before that shares its
round trip with others. It changes only the row that was looked at: whoever comes in between sends the act to the
transaction, which waits for its turn. The rules are those of `BackupDestination` either way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from tortoise.transactions import in_transaction

from models import write_statements as statements
from models.backup_destination import BackupDestination
from models.batching import Batched
from models.engines.asyncpg import MooringsAsyncpgClient
from models.event import Event, EventKind
from models.history import happening, record
from models.kinds import Attribute
from models.ownership import MAX_ID, locked, own
from models.viewer import Viewer

Change = Callable[[BackupDestination], Sequence[Attribute]]
"""Takes over a change into a row and says which attributes it changed; may be asked twice, of two states of the row."""

BESIDE_ATTRIBUTES = (
    *("credentials_set_at", "reachability", "last_check", "checked_at", "claim", "claimed_until", "updated_at"),
)
"""The columns that a change of attributes may touch besides."""

_STORED, _CHANGED = attrgetter(*statements.STORED), attrgetter(*statements.CHANGED)
_TOLD = itemgetter(*statements.TOLD)


class _Seen(NamedTuple):
    """A row as it was looked at: the transaction that wrote it, and its columns."""

    written_by: int
    columns: dict[str, Any]

    def row(self) -> BackupDestination:
        """One for each who asks, to be changed."""
        return BackupDestination._init_from_db(**self.columns)


class Writes:
    """The writes of one process."""

    def __init__(self) -> None:
        self._rows = Batched[int, _Seen](_look)

    async def add(self, viewer: Viewer, row: BackupDestination) -> None:
        """Store a new destination, and give the row its id."""
        database = _postgresql()
        if database is not None:
            told = _TOLD(happening(viewer, EventKind.CREATED))
            ((row.id,),) = await database.fetch(statements.INSERT, *_STORED(row), *told)
            return
        async with in_transaction():
            await row.save(force_create=True)
            await record(viewer, EventKind.CREATED, row)

    async def change(self, viewer: Viewer, destination_id: int, change: Change) -> tuple[BackupDestination, bool]:
        """The viewer's destination after a change, and whether that changed anything; raises as `own` does."""
        database = _postgresql()
        seen = None if database is None or not 0 < destination_id <= MAX_ID else await self._rows.ask(destination_id)
        if database is not None and seen is not None:
            row = own(viewer, seen.row())
            changed = change(row)
            if not changed:
                return row, False
            told = _TOLD(happening(viewer, EventKind.UPDATED, changed))
            if await database.fetch(statements.UPDATE, row.id, seen.written_by, *_CHANGED(row), *told):
                return row, True
        async with in_transaction():
            row = await locked(viewer, destination_id)
            changed = change(row)
            if changed:
                await row.save(update_fields=[*(a.value for a in changed), *BESIDE_ATTRIBUTES])
                await record(viewer, EventKind.UPDATED, row, changed)
        return row, bool(changed)

    async def remove(self, viewer: Viewer, destination_id: int) -> None:
        """Remove the viewer's destination; raises as `own` does."""
        database = _postgresql()
        if database is not None and 0 < destination_id <= MAX_ID:
            told = _TOLD(happening(viewer, EventKind.DELETED))
            if await database.fetch(statements.DELETE, destination_id, viewer.user_id, *told):
                return
        async with in_transaction():
            row = await locked(viewer, destination_id)
            await row.delete()
            await record(viewer, EventKind.DELETED, row)


def _postgresql() -> MooringsAsyncpgClient | None:
    """The pool of PostgreSQL; None on the embedded database, and inside a transaction, which a write joins."""
    database: Any = Event._meta.db
    return database if isinstance(database, MooringsAsyncpgClient) else None


async def _look(ids: Collection[int]) -> dict[int, _Seen]:
    """Rows by id."""
    database = _postgresql()
    found = [] if database is None else await database.fetch(statements.READ, list(ids))
    return {each["id"]: _Seen(each["xmin"], dict(each)) for each in found}
