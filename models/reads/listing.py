"""The viewer's destinations by key, filtered and ordered: the statements behind GraphQL's list.

Written as SQL because a keyset comparison is a row comparison, which the ORM cannot express and an index can answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from models.destinations.attributes import KINDS, MAX_LENGTHS, Attribute, DestinationKind, Reachability
from models.destinations.row import COLUMNS, DestinationRow, RecordRow, from_sqlite
from models.destinations.table import BackupDestination
from models.pagination import Bounds, Slice
from models.text import is_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
TIMESTAMPS_US = range(
    (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND,
    (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND + 1,
)
"""Every timestamp of a row, in microseconds since 1970: SQL past the gateway may store fractions of a second."""


class OrderField(StrEnum):
    """What a list can be ordered by; the id decides between equals."""

    ID = "id"
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    LABEL = "label"


@dataclass(frozen=True, kw_only=True, slots=True)
class DestinationOrder:
    """An order and its direction; labels by code point."""

    field: OrderField = OrderField.ID
    descending: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class DestinationFilter:
    """Which destinations; None is all of them. `label_contains` ignores the case of ASCII letters."""

    kinds: frozenset[DestinationKind] | None = None
    reachability: frozenset[Reachability] | None = None
    label_contains: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it lets every destination through."""
        return self.kinds is None and self.reachability is None and self.label_contains is None


EVERYTHING = DestinationFilter()
BY_ID = DestinationOrder()


@dataclass(frozen=True, kw_only=True, slots=True)
class DestinationPosition:
    """A place in an ordered list: a row's value (of `TIMESTAMPS_US`, a label, or None for the id alone) and its id."""

    value: int | str | None
    id: int


def position_of(row: DestinationRow, order: DestinationOrder) -> DestinationPosition:
    """Where a row stands in that order."""
    match order.field:
        case OrderField.ID:
            value: int | str | None = None
        case OrderField.LABEL:
            value = row.label
        case OrderField.CREATED_AT | OrderField.UPDATED_AT:
            value = (getattr(row, order.field) - _EPOCH) // _MICROSECOND
    return DestinationPosition(value=value, id=row.id)


async def slice_of(
    user_id: int, bounds: Bounds[DestinationPosition], chosen: DestinationFilter, order: DestinationOrder
) -> Slice[DestinationRow]:
    """One slice, in one statement."""
    statement = _Statement(user_id, chosen)
    descending = order.descending
    if bounds.after is not None:
        statement.behind(bounds.after, order.field, descending=descending)
    if bounds.before is not None:
        statement.behind(bounds.before, order.field, descending=not descending)
    direction = "DESC" if descending != bounds.from_end else "ASC"
    keys = ["id"] if order.field is OrderField.ID else [order.field.value, "id"]
    sql = (
        f"SELECT {', '.join(COLUMNS)} FROM backup_destinations WHERE {statement.where} "  # noqa: S608 - values are parameters
        f"ORDER BY {', '.join(f'{key} {direction}' for key in keys)} LIMIT {statement.parameter(bounds.size + 1)}"
    )
    return Slice.of(await statement.rows(sql), bounds)


async def count_of(user_id: int, chosen: DestinationFilter) -> int:
    """How many destinations the filter lets through."""
    statement = _Statement(user_id, chosen)
    rows = await statement.connection.execute_query_dict(
        f"SELECT count(*) AS n FROM backup_destinations WHERE {statement.where}",  # noqa: S608 - values are parameters
        statement.parameters,
    )
    return int(rows[0]["n"])


class _Statement:
    """A WHERE clause and its parameters, in the dialect of the database behind the models."""

    def __init__(self, user_id: int, chosen: DestinationFilter) -> None:
        self.connection = BackupDestination._meta.db
        self._is_sqlite = self.connection.capabilities.dialect == "sqlite"
        self.parameters: list[Any] = []
        self._conditions = [f"user_id = {self.parameter(user_id)}"]
        if chosen.kinds is not None:
            self._among("kind", sorted(chosen.kinds))
        if chosen.reachability is not None:
            self._among("kind", sorted(kind for kind, rules in KINDS.items() if rules.is_checkable))
            self._among("reachability", sorted(chosen.reachability))
        if chosen.label_contains is not None:
            self._contains("label", chosen.label_contains)

    @property
    def where(self) -> str:
        return " AND ".join(self._conditions)

    def parameter(self, value: Any) -> str:
        self.parameters.append(value)
        return "?" if self._is_sqlite else f"${len(self.parameters)}"

    def behind(self, position: DestinationPosition, field: OrderField, *, descending: bool) -> None:
        """Only rows behind that position."""
        sign = "<" if descending else ">"
        if field is OrderField.ID:
            self._conditions.append(f"id {sign} {self.parameter(position.id)}")
            return
        if isinstance(position.value, str):
            value = self.parameter(position.value)
        else:
            value = self._timestamp(position.value or 0)
        self._conditions.append(f"({field}, id) {sign} ({value}, {self.parameter(position.id)})")

    async def rows(self, sql: str) -> list[DestinationRow]:
        database: Any = self.connection
        if not self._is_sqlite:
            return list(await database.fetch(sql, *self.parameters, record_class=RecordRow))
        found: Sequence[Any] = (await database.execute_query(sql, self.parameters))[1]
        return [from_sqlite(row) for row in found]

    def _among(self, column: str, values: Sequence[str]) -> None:
        if not values:
            self._conditions.append("1 = 0")
        else:
            self._conditions.append(f"{column} IN ({', '.join(self.parameter(str(value)) for value in values)})")

    def _contains(self, column: str, text: str) -> None:
        if len(text) > MAX_LENGTHS[Attribute.LABEL] or not is_text(text):
            self._conditions.append("1 = 0")
            return
        escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        operator = "LIKE" if self._is_sqlite else "ILIKE"
        self._conditions.append(f"{column} {operator} {self.parameter(f'%{escaped}%')} ESCAPE '\\'")

    def _timestamp(self, epoch_us: int) -> str:
        """A timestamp as text, which SQLite stores; asyncpg would write the first one of the year 1 as infinity."""
        timestamp = self.parameter(str(_EPOCH + epoch_us * _MICROSECOND))
        return timestamp if self._is_sqlite else f"{timestamp}::text::timestamptz"
