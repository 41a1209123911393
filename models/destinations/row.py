"""A backup destination as it is read: every column a door may show, and no secret.

Reads make no model instances: building those, and the queries for them, costs more than everything else. Models stay
for the schema, the migrations and every write. A row of PostgreSQL is the very record that the driver made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from models.bounded_cache import MOST
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
BRIEF = COLUMNS[: FIELDS.index("credentials_set_at")]
"""Those that a list needs unless it says otherwise: a stored report may be longer than all others together."""


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


class BriefRow(DestinationRow, asyncpg.Record):
    """The `BRIEF` columns of PostgreSQL, which come in the right types; others may stand behind them."""

    __slots__ = ()


class RecordRow(DestinationRow, asyncpg.Record):
    """All columns of PostgreSQL; others may stand behind them."""

    __slots__ = ()


for _class, _names in ((BriefRow, FIELDS[: len(BRIEF)]), (RecordRow, FIELDS)):
    for _position, _name in enumerate(_names):
        setattr(_class, _name, property(itemgetter(_position)))

_AT = {name: position for position, name in enumerate(FIELDS)}
_STYLE = _AT["path_style_endpoint"]
_MOMENTS = tuple(_AT[name] for name in ("created_at", "updated_at", "credentials_set_at"))


@lru_cache(maxsize=MOST)
def _moment(text: str) -> datetime:
    """The same moment is the same object, as from PostgreSQL: whoever writes it finds it faster."""
    return datetime.fromisoformat(text)


def from_sqlite(values: Sequence[Any]) -> PlainRow:
    """A row of the embedded database, which keeps booleans as numbers and moments as text."""
    row = list(values)
    if row[_STYLE] is not None:
        row[_STYLE] = bool(row[_STYLE])
    for position in _MOMENTS:
        if row[position] is not None:
            row[position] = _moment(row[position])
    return PlainRow._make(row)


def from_model(row: BackupDestination) -> PlainRow:
    """What was just written."""
    return PlainRow._make(getattr(row, column) for column in COLUMNS)
