"""The writes of destinations: a row and its event, together or not at all.

On the embedded database a write is one job of the thread that writes, as `embedded` has it. On PostgreSQL it tries
three ways, all with the rules of `BackupDestination`:

1. a statement shared by the writes that are pending at the same time: each costs a part of a round trip, of a plan and
   of a commit. It waits for no lock and leaves out the writes that would have to.
2. a statement of its own, which waits for locks. Like the shared one it changes only a row that is still as in the
   snapshot.
3. the transaction, when the row has changed since the snapshot.

Changes of one row that begin in one process at the same time follow each other, so that each finds the row as the one
before left it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from operator import attrgetter, itemgetter
from typing import Any

import asyncpg
from tortoise.transactions import in_transaction

from models.accounts.viewer import Viewer
from models.batcher import Batcher
from models.database.postgresql import in_share, postgresql_behind
from models.database.sqlite import sqlite_of
from models.destinations.attributes import Attribute
from models.destinations.ownership import MAX_ID, locked, own
from models.destinations.row import from_model
from models.destinations.table import BackupDestination
from models.destinations.version_conflict import VersionConflict
from models.errors import ValidationFailed
from models.events.event import EventKind
from models.events.history import event_values, record
from models.writes import embedded, shared_statements, statements
from models.writes.embedded import Change
from models.writes.shared_writes import SharedWrites

_STORED, _CHANGED = attrgetter(*statements.STORED), attrgetter(*statements.CHANGED)
_EVENT_VALUES = itemgetter(*statements.EVENT_COLUMNS)

TURN_S = 0.5
"""How long a change waits for those of the same row that began before in its process; they may wait for a lock."""


class _StaleRow(Exception):
    """The row has changed since its snapshot."""


class RowSnapshot(asyncpg.Record):
    """A destination as it was read before a change: the transaction that wrote it, and its columns."""

    __slots__ = ()

    @property
    def user_id(self) -> int:
        """The id of its user."""
        user_id: int = self["user_id"]
        return user_id

    def row(self) -> BackupDestination:
        """A new row for each caller, to be changed."""
        return BackupDestination.stored(dict(zip(statements.SNAPSHOT[1:], tuple(self)[1:], strict=True)))


class Writes:
    """The writes of one process."""

    def __init__(self) -> None:
        self._rows = Batcher[int, RowSnapshot](_fetch_snapshots)
        self._added = SharedWrites(shared_statements.INSERT)
        self._changed = SharedWrites(shared_statements.UPDATE)
        self._being_changed: set[int] = set()
        self._last_changes: dict[int, asyncio.Future[None]] = {}
        """Of each row that is being changed, the end of the change that began last."""

    async def add(self, viewer: Viewer, row: BackupDestination) -> None:
        """Store a new destination, and set the row's id."""
        database, writer = postgresql_behind(BackupDestination), sqlite_of(BackupDestination)
        if writer is not None:
            row.id = await writer.write(lambda connection: embedded.insert(connection, viewer, row), embedded.INSERT)
            row._saved_in_db = True
            return
        if database is None:
            async with in_transaction():
                await row.save(force_create=True)
                await record(viewer, EventKind.CREATED, row)
            return
        event, stored = event_values(viewer, EventKind.CREATED, endpoint=row.endpoint), _STORED(row)
        id_ = await self._added.execute(event | dict(zip(statements.STORED, stored, strict=True)))
        if id_ is None:
            async with in_share(BackupDestination, viewer.user_id):
                ((id_,),) = await database.fetch(statements.INSERT, *stored, *_EVENT_VALUES(event), is_write=True)
        row.id = id_

    async def snapshot(self, viewer: Viewer, destination_id: int) -> RowSnapshot | None:
        """The viewer's destination before a change; None on the embedded database. Raises as `own` does."""
        if postgresql_behind(BackupDestination) is None:
            return None
        return own(viewer, await self._rows.load(destination_id) if 0 < destination_id <= MAX_ID else None)

    async def change(
        self, viewer: Viewer, destination_id: int, change: Change, snapshot: RowSnapshot | None = None
    ) -> tuple[BackupDestination, Sequence[Attribute]]:
        """The viewer's destination after a change, and the attributes that changed; raises as `own` does.

        The row may differ from the snapshot by now: a refusal, or a change of nothing, is decided on a fresh one.
        """
        writer = sqlite_of(BackupDestination)
        if writer is not None:
            done: tuple[BackupDestination, Sequence[Attribute]] = await writer.write(
                lambda connection: embedded.change(connection, viewer, destination_id, change), embedded.SELECT
            )
            return done
        if postgresql_behind(BackupDestination) is None:
            return await self._change(viewer, destination_id, change, snapshot)
        async with self._after_others(destination_id) as were_others:
            return await self._change(viewer, destination_id, change, None if were_others else snapshot)

    @asynccontextmanager
    async def _after_others(self, destination_id: int) -> AsyncIterator[bool]:
        """Wait for the changes of the row that began before in this process; yields whether there were any.

        One after the other they share the statements of other writes. All at once they would wait for each other's
        locks, with a connection each, and find the row changed.
        """
        before, end = self._last_changes.get(destination_id), asyncio.get_running_loop().create_future()
        self._last_changes[destination_id] = end
        try:
            if before is not None:
                await asyncio.wait((before,), timeout=TURN_S)
            yield before is not None
        finally:
            end.set_result(None)
            if self._last_changes.get(destination_id) is end:
                del self._last_changes[destination_id]

    async def _change(
        self, viewer: Viewer, destination_id: int, change: Change, snapshot: RowSnapshot | None
    ) -> tuple[BackupDestination, Sequence[Attribute]]:
        """As `change`, on PostgreSQL."""
        if snapshot is not None:
            with suppress(_StaleRow, ValidationFailed, VersionConflict):
                row, changed = await self._rewrite(viewer, snapshot, change, waits=False)
                if changed:
                    return row, changed
        with suppress(_StaleRow):
            fresh = await self.snapshot(viewer, destination_id)
            if fresh is not None:
                return await self._rewrite(viewer, fresh, change, waits=True)
        async with in_share(BackupDestination, viewer.user_id), in_transaction():
            row = await locked(viewer, destination_id)
            changed = change(row)
            if changed:
                await row.save(update_fields=[*(a.value for a in changed), *statements.BESIDE_ATTRIBUTES])
                await record(viewer, EventKind.UPDATED, row, changed)
        return row, changed

    async def _rewrite(
        self, viewer: Viewer, snapshot: RowSnapshot, change: Change, *, waits: bool
    ) -> tuple[BackupDestination, Sequence[Attribute]]:
        """The row after a change of the snapshot, and the attributes that changed.

        Raises `_StaleRow`, also for a row that is locked unless it `waits` for the lock, in a statement of its own.
        """
        row = snapshot.row()
        changed = change(row)
        if not changed:
            return row, ()
        event = event_values(viewer, EventKind.UPDATED, changed, endpoint=row.endpoint)
        values, written_by = _CHANGED(row), snapshot["xmin"]
        if row.id not in self._being_changed:  # a statement changes each row once; the next change goes alone
            self._being_changed.add(row.id)
            try:
                columns = dict(zip(statements.CHANGED, values, strict=True))
                if await self._changed.execute({**event, **columns, "id": row.id, "snapshot": written_by}) is not None:
                    return row, changed
            finally:
                self._being_changed.discard(row.id)
        database = postgresql_behind(BackupDestination)
        if waits and database is not None:
            given = (row.id, written_by, *values, *_EVENT_VALUES(event))
            async with in_share(BackupDestination, viewer.user_id):
                if await database.fetch(statements.UPDATE, *given, is_write=True):
                    return row, changed
        raise _StaleRow

    async def remove(self, viewer: Viewer, destination_id: int, *, expected_version: int | None = None) -> None:
        """Remove the viewer's destination; raises as `own` does, and `VersionConflict`."""
        writer = sqlite_of(BackupDestination)
        if writer is not None:
            await writer.write(
                lambda connection: embedded.remove(connection, viewer, destination_id, expected_version),
                embedded.SELECT,
            )
            return
        database = postgresql_behind(BackupDestination)
        if database is not None and expected_version is None and 0 < destination_id <= MAX_ID:
            event = _EVENT_VALUES(event_values(viewer, EventKind.DELETED))
            async with in_share(BackupDestination, viewer.user_id):
                if await database.fetch(statements.DELETE, destination_id, viewer.user_id, *event, is_write=True):
                    return
        async with in_share(BackupDestination, viewer.user_id), in_transaction():
            row = await locked(viewer, destination_id)
            if expected_version not in (None, row.version):
                raise VersionConflict(from_model(row))
            await row.delete()
            await record(viewer, EventKind.DELETED, row)


async def _fetch_snapshots(ids: Collection[int]) -> dict[int, RowSnapshot]:
    database = postgresql_behind(BackupDestination)
    found: Sequence[Any] = (
        () if database is None else await database.fetch(statements.SNAPSHOTS, list(ids), record_class=RowSnapshot)
    )
    return {snapshot["id"]: snapshot for snapshot in found}
