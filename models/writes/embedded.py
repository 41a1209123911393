"""The writes of destinations on the embedded database: each is one job, called whole in the writer's thread.

It reads the row, changes it, writes it and stores its event in one visit. Statement by statement the event loop would
be waited for between them, by all writes behind this one too. The statements are made once: the ORM builds its own anew
for every row, which takes longer than SQLite takes to execute them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

from tortoise.fields import BooleanField, DatetimeField

from models.accounts.viewer import Viewer
from models.destinations.attributes import Attribute
from models.destinations.ownership import MAX_ID, own
from models.destinations.row import from_model
from models.destinations.table import BackupDestination
from models.destinations.version_conflict import VersionConflict
from models.events.event import Event, EventKind
from models.events.history import event_values, next_event_id
from models.writes.statements import BESIDE_ATTRIBUTES, EVENT_COLUMNS, STORED

Change = Callable[[BackupDestination], Sequence[Attribute]]
"""Changes a row and returns what it changed; raises a refusal.

On SQLite it is called in the writer's thread, on PostgreSQL perhaps again, with a fresher row.
"""

_TABLE, _EVENTS = BackupDestination._meta.db_table, Event._meta.db_table
_ROW = ("id", *STORED)
_EVENT = ("id", "user_id", "destination_id", "label", *EVENT_COLUMNS)
_FIELDS = BackupDestination._meta.fields_map
_TIMESTAMPS = tuple(name for name in _ROW if isinstance(_FIELDS.get(name), DatetimeField))
_BOOLEANS = tuple(name for name in _ROW if isinstance(_FIELDS.get(name), BooleanField))
_ROW_VALUES, _EVENT_VALUES = attrgetter(*STORED), itemgetter(*EVENT_COLUMNS)
_NATIVE = frozenset({type(None), bool, int, str})


def _insert_into(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - our own


INSERT = _insert_into(_TABLE, STORED)
SELECT = f"SELECT {', '.join(_ROW)} FROM {_TABLE} WHERE id = ?"  # noqa: S608 - names of our own
DELETE = f"DELETE FROM {_TABLE} WHERE id = ?"  # noqa: S608 - a name of our own
_INSERT_EVENT = _insert_into(_EVENTS, _EVENT)


@lru_cache(maxsize=64)
def _update(columns: tuple[str, ...]) -> str:
    """The statement that sets these columns of one row: what an index holds is written only where it changes."""
    return f"UPDATE {_TABLE} SET {', '.join(f'{column} = ?' for column in columns)} WHERE id = ?"  # noqa: S608 - our own


def insert(connection: sqlite3.Connection, viewer: Viewer, row: BackupDestination) -> int:
    """Store a new destination; returns its id."""
    id_ = connection.execute(INSERT, _stored(_ROW_VALUES(row))).lastrowid or 0
    _record(connection, viewer, EventKind.CREATED, row, id_)
    return id_


def change(
    connection: sqlite3.Connection, viewer: Viewer, destination_id: int, apply: Change
) -> tuple[BackupDestination, Sequence[Attribute]]:
    """Change the viewer's destination; returns the row after it, and what changed. Raises as `own` and `apply` do."""
    row = _own(connection, viewer, destination_id)
    changed = apply(row)
    if changed:
        columns = (*(attribute.value for attribute in changed), *BESIDE_ATTRIBUTES)
        values = _stored(getattr(row, column) for column in columns)
        connection.execute(_update(columns), [*values, row.id])
        _record(connection, viewer, EventKind.UPDATED, row, row.id, changed)
    return row, changed


def remove(connection: sqlite3.Connection, viewer: Viewer, destination_id: int, expected_version: int | None) -> None:
    """Remove the viewer's destination; raises as `own` does, and `VersionConflict`."""
    row = _own(connection, viewer, destination_id)
    if expected_version not in (None, row.version):
        raise VersionConflict(from_model(row))
    connection.execute(DELETE, (row.id,))
    _record(connection, viewer, EventKind.DELETED, row, row.id)


def _own(connection: sqlite3.Connection, viewer: Viewer, destination_id: int) -> BackupDestination:
    found = connection.execute(SELECT, (destination_id,)).fetchone() if 0 < destination_id <= MAX_ID else None
    return own(viewer, None if found is None else _row_of(found))


def _row_of(found: Sequence[Any]) -> BackupDestination:
    columns = dict(zip(_ROW, found, strict=True))
    columns["uid"] = UUID(columns["uid"])
    for name in _BOOLEANS:
        if columns[name] is not None:
            columns[name] = bool(columns[name])
    for name in _TIMESTAMPS:
        if columns[name] is not None:
            columns[name] = datetime.fromisoformat(columns[name])
    return BackupDestination.stored(columns)


def _record(
    connection: sqlite3.Connection,
    viewer: Viewer,
    kind: EventKind,
    row: BackupDestination,
    id_: int,
    changed: Sequence[Attribute] = (),
) -> None:
    values = _EVENT_VALUES(event_values(viewer, kind, changed, endpoint=row.endpoint))
    given = (next_event_id(connection), row.user_id, id_, row.label, *values)
    connection.execute(_INSERT_EVENT, _stored(given))


def _stored(values: Iterable[Any]) -> list[Any]:
    """The values as SQLite has them: timestamps, names of enumerations and UUIDs are text."""
    return [value if type(value) in _NATIVE else str(value) for value in values]
