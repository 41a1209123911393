"""A backup destination as it is read: every column that an API may show, and no secret.

Reads make no model instances, which with their queries would cost more than everything else. Models stay for the
schema, the migrations and every write. A row of PostgreSQL is the very record that the driver made.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import asyncpg

from models.destinations.attributes import ATTRIBUTES, DestinationKind, Reachability, ValueType
from models.destinations.table import BackupDestination

_KINDS = {kind.value: kind for kind in DestinationKind}
_REACHABILITIES = {reachability.value: reachability for reachability in Reachability}


class DestinationRow:
    """The columns by name and by position; timestamps are in UTC, `last_check` is a `CheckReport` in JSON.

    `kind` and `reachability` raise KeyError for a stored value that this version does not know. The columns up to
    `version` are those of lists: a stored report may be longer than all others together.
    """

    __slots__ = ()

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
    version: int
    credentials_set_at: datetime | None
    check_prefix: str | None
    certificate_authorities: str | None
    checked_at: datetime | None
    last_check: str | None

    if TYPE_CHECKING:

        def __getitem__(self, position: Any) -> Any: ...

    @property
    def kind(self) -> DestinationKind:
        """Which kind it is."""
        return _KINDS[self.stored_kind]

    @property
    def reachability(self) -> Reachability:
        """What the last check found."""
        return _REACHABILITIES[self.stored_reachability]


FIELDS = tuple(DestinationRow.__annotations__)
"""The columns as attributes of a row, each at its position: `row[0]` is `row.id`."""
COLUMNS = tuple(name.removeprefix("stored_") for name in FIELDS)
"""Their names in the table."""
LIST_COLUMNS = COLUMNS[: FIELDS.index("version") + 1]
"""Those that a list reads unless all are wanted."""


class PlainRow(DestinationRow, tuple[Any, ...]):
    """A row from anywhere but PostgreSQL."""

    __slots__ = ()

    @classmethod
    def of(cls, **columns: Any) -> PlainRow:
        """A row of these columns; the others are None."""
        return cls(columns.get(name) for name in FIELDS)

    def replaced(self, **columns: Any) -> PlainRow:
        """The row with other values in these columns."""
        return self.of(**dict(zip(FIELDS, self, strict=True)) | columns)


class ListRow(DestinationRow, asyncpg.Record):
    """The `LIST_COLUMNS` of PostgreSQL, which come in the right types; other values may follow them."""

    __slots__ = ()


class RecordRow(DestinationRow, asyncpg.Record):
    """All `COLUMNS` of PostgreSQL; other values may follow them."""

    __slots__ = ()


for _class, _names in ((ListRow, FIELDS[: len(LIST_COLUMNS)]), (RecordRow, FIELDS), (PlainRow, FIELDS)):
    for _position, _name in enumerate(_names):
        setattr(_class, _name, property(itemgetter(_position)))

_BOOLEANS = tuple(FIELDS.index(a.value) for a in ATTRIBUTES if a.rules.type is ValueType.BOOLEAN)
_TIMESTAMPS = tuple(FIELDS.index(name) for name in ("created_at", "updated_at", "credentials_set_at", "checked_at"))


def from_sqlite(values: Sequence[Any]) -> PlainRow:
    """A row of the embedded database, which stores booleans as numbers and timestamps as text."""
    row = list(values)
    for position in _BOOLEANS:
        if row[position] is not None:
            row[position] = bool(row[position])
    for position in _TIMESTAMPS:
        if row[position] is not None:
            row[position] = datetime.fromisoformat(row[position])
    return PlainRow(row)


def from_model(row: BackupDestination) -> PlainRow:
    """A row that was just written."""
    return PlainRow(getattr(row, column) for column in COLUMNS)
