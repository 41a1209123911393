"""The writes of destinations: a row and its event, together or not at all.

On the embedded database a write is one job of the thread that writes, as `embedded` has it. On PostgreSQL it tries
three ways, all with the rules of `BackupDestination`:

1. a statement shared by the writes that are pending at the same time: each costs a part of a round trip, of a plan and
   of a commit. It waits for no lock and leaves out the writes that would have to.
2. a statement of its own, which waits for locks. Like the shared one it changes only a row that is still as in the
   snapshot.
3. the transaction, when the row has changed since the snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
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
        with suppress(_StaleRow):
            if snapshot is not None:
                with suppress(ValidationFailed, VersionConflict):
                    row, changed = await self._rewrite(viewer, snapshot, change)
                    if changed:
                        return row, changed
            fresh = await self.snapshot(viewer, destination_id)
            if fresh is not None:
                return await self._rewrite(viewer, fresh, change)
        async with in_share(BackupDestination, viewer.user_id), in_transaction():
            row = await locked(viewer, destination_id)
            changed = change(row)
            if changed:
                await row.save(update_fields=[*(a.value for a in changed), *statements.BESIDE_ATTRIBUTES])
                await record(viewer, EventKind.UPDATED, row, changed)
        return row, changed

    async def _rewrite(
        self, viewer: Viewer, snapshot: RowSnapshot, change: Change
    ) -> tuple[BackupDestination, Sequence[Attribute]]:
        """The row after a change of the snapshot, and the attributes that changed; raises `_StaleRow`."""
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
        if database is not None:
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
