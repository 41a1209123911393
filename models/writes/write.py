"""The acts that write a destination: its row and its event, together or not at all.

By the models, in a transaction with the row locked; and on PostgreSQL, first of all, in one statement. It is shared by
the acts that are there at one moment: a look at the row before it, and the write itself, cost each of them a part of a
round trip, of a plan and of a commit. A shared write waits for nobody and leaves out whom it would have to wait for:
such a one goes alone, in a statement that waits. Either changes only the row that was looked at; whoever comes in
between sends the act to the transaction. The rules are those of `BackupDestination` on every way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from operator import attrgetter, itemgetter
from typing import Any

import asyncpg
from tortoise.transactions import in_transaction

from models.accounts.viewer import Viewer
from models.batcher import Batched
from models.database.postgresql import postgresql_behind
from models.destinations.attributes import Attribute
from models.destinations.ownership import MAX_ID, locked, own
from models.destinations.table import BackupDestination
from models.errors import ValidationFailed
from models.events.event import EventKind
from models.events.history import happening, record
from models.writes import shared_statements, statements
from models.writes.shared_writes import SharedWrites

Change = Callable[[BackupDestination], Sequence[Attribute]]
"""Takes over a change into a row and says which attributes it changed; may be asked again, of the row as it is then."""

BESIDE_ATTRIBUTES = (
    *("credentials_set_at", "reachability", "last_check", "checked_at", "claim", "claimed_until", "updated_at"),
)
"""The columns that a change of attributes may touch besides."""

_STORED, _CHANGED = attrgetter(*statements.STORED), attrgetter(*statements.CHANGED)
_TOLD = itemgetter(*statements.TOLD)


class _Overtaken(Exception):
    """Somebody has changed the row since it was looked at."""


class Seen(asyncpg.Record):
    """A destination as it was looked at: the transaction that wrote it, and its columns."""

    __slots__ = ()

    @property
    def user_id(self) -> int:
        """Whose it is."""
        user_id: int = self["user_id"]
        return user_id

    def row(self) -> BackupDestination:
        """One for each who asks, to be changed."""
        return BackupDestination._init_from_db(**dict(zip(statements.SEEN, self, strict=True)))


class Writes:
    """The writes of one process."""

    def __init__(self) -> None:
        self._rows = Batched[int, Seen](_look)
        self._added = SharedWrites(shared_statements.INSERT)
        self._changed = SharedWrites(shared_statements.UPDATE)
        self._under_way: set[int] = set()

    async def add(self, viewer: Viewer, row: BackupDestination) -> None:
        """Store a new destination, and give the row its id."""
        database = postgresql_behind(BackupDestination)
        if database is None:
            async with in_transaction():
                await row.save(force_create=True)
                await record(viewer, EventKind.CREATED, row)
            return
        told, stored = happening(viewer, EventKind.CREATED), _STORED(row)
        id_ = await self._added.do(told | dict(zip(statements.STORED, stored, strict=True)))
        if id_ is None:
            ((id_,),) = await database.fetch(statements.INSERT, *stored, *_TOLD(told))
        row.id = id_

    async def look(self, viewer: Viewer, destination_id: int) -> Seen | None:
        """The viewer's destination before a change; None where changes are transactions. Raises as `own` does."""
        if postgresql_behind(BackupDestination) is None:
            return None
        return own(viewer, await self._rows.ask(destination_id) if 0 < destination_id <= MAX_ID else None)

    async def change(
        self, viewer: Viewer, destination_id: int, change: Change, seen: Seen | None = None
    ) -> tuple[BackupDestination, bool]:
        """The viewer's destination after a change, and whether that changed anything; raises as `own` does.

        `seen` is what a look at it before found. It may be another by now: where that decides, it is looked at anew.
        """
        with suppress(_Overtaken):
            if seen is not None:
                with suppress(ValidationFailed):
                    row, has_changed = await self._rewrite(viewer, seen, change)
                    if has_changed:
                        return row, True
            fresh = await self.look(viewer, destination_id)
            if fresh is not None:
                return await self._rewrite(viewer, fresh, change)
        async with in_transaction():
            row = await locked(viewer, destination_id)
            changed = change(row)
            if changed:
                await row.save(update_fields=[*(a.value for a in changed), *BESIDE_ATTRIBUTES])
                await record(viewer, EventKind.UPDATED, row, changed)
        return row, bool(changed)

    async def _rewrite(self, viewer: Viewer, seen: Seen, change: Change) -> tuple[BackupDestination, bool]:
        """The row after a change of what was seen, and whether that changed anything; raises `_Overtaken`."""
        row = seen.row()
        changed = change(row)
        if not changed:
            return row, False
        told, values, written_by = happening(viewer, EventKind.UPDATED, changed), _CHANGED(row), seen["xmin"]
        if row.id not in self._under_way:  # of one row a statement does one change; the next goes alone
            self._under_way.add(row.id)
            try:
                columns = dict(zip(statements.CHANGED, values, strict=True))
                if await self._changed.do({**told, **columns, "id": row.id, "seen": written_by}) is not None:
                    return row, True
            finally:
                self._under_way.discard(row.id)
        database = postgresql_behind(BackupDestination)
        if database and await database.fetch(statements.UPDATE, row.id, written_by, *values, *_TOLD(told)):
            return row, True
        raise _Overtaken

    async def remove(self, viewer: Viewer, destination_id: int) -> None:
        """Remove the viewer's destination; raises as `own` does."""
        database = postgresql_behind(BackupDestination)
        if database is not None and 0 < destination_id <= MAX_ID:
            told = _TOLD(happening(viewer, EventKind.DELETED))
            if await database.fetch(statements.DELETE, destination_id, viewer.user_id, *told):
                return
        async with in_transaction():
            row = await locked(viewer, destination_id)
            await row.delete()
            await record(viewer, EventKind.DELETED, row)


async def _look(ids: Collection[int]) -> dict[int, Seen]:
    """Rows by id."""
    database = postgresql_behind(BackupDestination)
    found: Sequence[Any] = (
        () if database is None else await database.fetch(statements.READ, list(ids), record_class=Seen)
    )
    return {seen["id"]: seen for seen in found}
