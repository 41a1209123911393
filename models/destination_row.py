"""A backup destination as it is read: every column a door may show, and no secret.

Reads make no model instances: building those, and the queries for them, costs more than everything else. Models stay
for the schema, the migrations and every write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from models.backup_destination import BackupDestination
from models.kinds import DestinationKind, Reachability

_KINDS = {kind.value: kind for kind in DestinationKind}
_REACHABILITIES = {reachability.value: reachability for reachability in Reachability}


class DestinationRow(NamedTuple):
    """The columns in this order; the moments are in UTC, `last_check` is a `CheckReport` in JSON.

    A kind or reachability nobody knows raises KeyError.
    """

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


COLUMNS = tuple(name.removeprefix("stored_") for name in DestinationRow._fields)
"""Their names in the table."""
_AT = {name: DestinationRow._fields.index(name) for name in DestinationRow._fields}


def from_sqlite(values: Sequence[Any]) -> DestinationRow:
    """A row of the embedded database, which keeps booleans as numbers and moments as text."""
    row = list(values)
    if row[_AT["path_style_endpoint"]] is not None:
        row[_AT["path_style_endpoint"]] = bool(row[_AT["path_style_endpoint"]])
    for name in ("credentials_set_at", "created_at", "updated_at"):
        if row[_AT[name]] is not None:
            row[_AT[name]] = datetime.fromisoformat(row[_AT[name]])
    return DestinationRow._make(row)


from_postgresql: Callable[[Iterable[Any]], DestinationRow] = partial(tuple.__new__, DestinationRow)
"""A row of PostgreSQL, whose columns come in the right types and number."""


def from_model(row: BackupDestination) -> DestinationRow:
    """What was just written."""
    return DestinationRow._make(getattr(row, column) for column in COLUMNS)
