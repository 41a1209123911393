"""A backup destination as it is read: every column a door may show, and no secret.

Reads make no model instances: building those, and the queries for them, costs more than everything else. Models stay
for the schema, the migrations and every write. A row of PostgreSQL is the very record that the driver made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from models.backup_destination import BackupDestination
from models.kinds import DestinationKind, Reachability

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
    credentials_set_at: datetime | None
    stored_reachability: str
    created_at: datetime
    updated_at: datetime
    last_check: str | None


FIELDS = _Columns._fields
"""The columns as attributes of a row, each at its position: `row[0]` is `row.id`."""
COLUMNS = tuple(name.removeprefix("stored_") for name in FIELDS)
"""Their names in the table."""


class DestinationRow:
    """The columns, also by position; the moments are in UTC, `last_check` is a `CheckReport` in JSON.

    A kind or reachability nobody knows raises KeyError.
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
        credentials_set_at: datetime | None
        stored_reachability: str
        created_at: datetime
        updated_at: datetime
        last_check: str | None

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


class RecordRow(DestinationRow, asyncpg.Record):
    """A row of PostgreSQL, whose columns come in the right types; others may stand behind them."""

    __slots__ = ()


for _position, _name in enumerate(FIELDS):
    setattr(RecordRow, _name, property(itemgetter(_position)))

_AT = {name: position for position, name in enumerate(FIELDS)}


def from_sqlite(values: Sequence[Any]) -> PlainRow:
    """A row of the embedded database, which keeps booleans as numbers and moments as text."""
    row = list(values)
    if row[_AT["path_style_endpoint"]] is not None:
        row[_AT["path_style_endpoint"]] = bool(row[_AT["path_style_endpoint"]])
    for name in ("credentials_set_at", "created_at", "updated_at"):
        if row[_AT[name]] is not None:
            row[_AT[name]] = datetime.fromisoformat(row[_AT[name]])
    return PlainRow._make(row)


def from_model(row: BackupDestination) -> PlainRow:
    """What was just written."""
    return PlainRow._make(getattr(row, column) for column in COLUMNS)
