"""A backup destination as it is read: every column that an API may show, and no secret.

Reads make no model instances, which with their queries would cost more than everything else. Models stay for the
schema, the migrations and every write. A row of PostgreSQL is the very record that the driver made.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from models.destinations.attributes import DestinationKind, Reachability
from models.destinations.table import BackupDestination

_KINDS = {kind.value: kind for kind in DestinationKind}
_REACHABILITIES = {reachability.value: reachability for reachability in Reachability}


class _Columns(NamedTuple):
    id: int
    user_id: int
    label: str
    stored_kind: str
    bucket_name: str | None
    region: str | None
    endpoint: str | None
    path_style_endpoint: bool | None
    stored_reachability: str
    created_at: datetime
    updated_at: datetime
    credentials_set_at: datetime | None
    last_check: str | None


FIELDS = _Columns._fields
"""The columns as attributes of a row, each at its position: `row[0]` is `row.id`."""
COLUMNS = tuple(name.removeprefix("stored_") for name in FIELDS)
"""Their names in the table."""
LIST_COLUMNS = COLUMNS[: FIELDS.index("credentials_set_at")]
"""Those that a list reads unless all are wanted: a stored report may be longer than all others together."""


class DestinationRow:
    """The columns by name and by position; timestamps are in UTC, `last_check` is a `CheckReport` in JSON.

    `kind` and `reachability` raise KeyError for a stored value that this version does not know.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        id: int
        user_id: int
        label: str
        stored_kind: str
        bucket_name: str | None
        region: str | None
        endpoint: str | None
        path_style_endpoint: bool | None
        stored_reachability: str
        created_at: datetime
        updated_at: datetime
        credentials_set_at: datetime | None
        last_check: str | None

        def __getitem__(self, position: Any) -> Any: ...

    @property
    def kind(self) -> DestinationKind:
        """Which kind it is."""
        return _KINDS[self.stored_kind]

    @property
    def reachability(self) -> Reachability:
        """What the last check found."""
        return _REACHABILITIES[self.stored_reachability]


class PlainRow(DestinationRow, _Columns):
    """A row from anywhere but PostgreSQL."""

    __slots__ = ()


class ListRow(DestinationRow, asyncpg.Record):
    """The `LIST_COLUMNS` of PostgreSQL, which come in the right types; other values may follow them."""

    __slots__ = ()


class RecordRow(DestinationRow, asyncpg.Record):
    """All `COLUMNS` of PostgreSQL; other values may follow them."""

    __slots__ = ()


for _class, _names in ((ListRow, FIELDS[: len(LIST_COLUMNS)]), (RecordRow, FIELDS)):
    for _position, _name in enumerate(_names):
        setattr(_class, _name, property(itemgetter(_position)))

_AT = {name: position for position, name in enumerate(FIELDS)}
_STYLE = _AT["path_style_endpoint"]
_TIMESTAMPS = tuple(_AT[name] for name in ("created_at", "updated_at", "credentials_set_at"))


def from_sqlite(values: Sequence[Any]) -> PlainRow:
    """A row of the embedded database, which stores booleans as numbers and timestamps as text."""
    row = list(values)
    if row[_STYLE] is not None:
        row[_STYLE] = bool(row[_STYLE])
    for position in _TIMESTAMPS:
        if row[position] is not None:
            row[position] = datetime.fromisoformat(row[position])
    return PlainRow._make(row)


def from_model(row: BackupDestination) -> PlainRow:
    """A row that was just written."""
    return PlainRow._make(getattr(row, column) for column in COLUMNS)
