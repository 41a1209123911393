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
from models.destinations.guards import never, order_key
from models.destinations.row import COLUMNS, DestinationRow, RecordRow, from_sqlite
from models.destinations.table import BackupDestination
from models.pagination import Bounds, Slice
from models.reads.text_search import host_patterns, patterns_of, replacements_of
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
    KIND = "kind"
    BUCKET_NAME = "bucket_name"
    LAST_CHECK = "checked_at"


@dataclass(frozen=True, kw_only=True, slots=True)
class DestinationOrder:
    """An order and its direction; texts by code point, and a value that a row has not before all others."""

    field: OrderField = OrderField.ID
    descending: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class DestinationFilter:
    """Which destinations; None is all of them. `…_since` is included, `…_until` is not.

    `label_contains` ignores case, as `text_search` says. `endpoint_host` is the host of the endpoint, with the port or
    without, and ignores the case of ASCII letters. `not_checked_since` is met by destinations that were never checked.
    """

    kinds: frozenset[DestinationKind] | None = None
    reachability: frozenset[Reachability] | None = None
    label_contains: str | None = None
    bucket_name: str | None = None
    region: str | None = None
    endpoint_host: str | None = None
    created_since: datetime | None = None
    created_until: datetime | None = None
    updated_since: datetime | None = None
    updated_until: datetime | None = None
    checked_since: datetime | None = None
    not_checked_since: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it lets every destination through."""
        return self == EVERYTHING


EVERYTHING = DestinationFilter()
_CHECKABLE = sorted(kind for kind, rules in KINDS.items() if rules.is_checkable)
_NEVER = "1 = 0"
BY_ID = DestinationOrder()


@dataclass(frozen=True, kw_only=True, slots=True)
class DestinationPosition:
    """A place in an ordered list: a row's value and its id.

    The value is one of `TIMESTAMPS_US` or a text. It is None for the id alone, and for a destination never checked.
    """

    value: int | str | None
    id: int


def position_of(row: DestinationRow, order: DestinationOrder) -> DestinationPosition:
    """Where a row stands in that order."""
    value: int | str | None
    match order.field:
        case OrderField.ID:
            value = None
        case OrderField.LABEL:
            value = row.label
        case OrderField.KIND:
            value = row.stored_kind
        case OrderField.BUCKET_NAME:
            value = row.bucket_name or ""
        case OrderField.CREATED_AT | OrderField.UPDATED_AT | OrderField.LAST_CHECK:
            time: datetime | None = getattr(row, order.field)
            value = None if time is None else _us_of(time)
    return DestinationPosition(value=value, id=row.id)


async def slice_of(
    user_id: int, bounds: Bounds[DestinationPosition], chosen: DestinationFilter, order: DestinationOrder
) -> Slice[DestinationRow]:
    """One slice, in one statement."""
    statement = _Statement(user_id, chosen)
    descending, field = order.descending, order.field
    if bounds.after is not None:
        statement.behind(bounds.after, field, descending=descending)
    if bounds.before is not None:
        statement.behind(bounds.before, field, descending=not descending)
    direction = "DESC" if descending != bounds.from_end else "ASC"
    keys = ["id"] if field is OrderField.ID else [statement.key(field), "id"]
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
            self._among("kind", _CHECKABLE)
            self._among("reachability", sorted(chosen.reachability))
        if chosen.label_contains is not None:
            self._contains("label", chosen.label_contains)
        for column in ("bucket_name", "region"):
            text: str | None = getattr(chosen, column)
            if text is not None:
                self._where(f"{column} = {self.parameter(text)}" if is_text(text) else _NEVER)
        if chosen.endpoint_host is not None:
            self._at_host(chosen.endpoint_host)
        for column, sign, time in (
            ("created_at", ">=", chosen.created_since),
            ("created_at", "<", chosen.created_until),
            ("updated_at", ">=", chosen.updated_since),
            ("updated_at", "<", chosen.updated_until),
            ("checked_at", ">=", chosen.checked_since),
        ):
            if time is not None:
                self._where(f"{column} {sign} {self._timestamp(_us_of(time))}")
        if chosen.not_checked_since is not None:
            self._among("kind", _CHECKABLE)
            since = self._timestamp(_us_of(chosen.not_checked_since))
            self._where(f"{self.key(OrderField.LAST_CHECK)} < {since}")

    @property
    def where(self) -> str:
        return " AND ".join(self._conditions)

    def parameter(self, value: Any) -> str:
        self.parameters.append(value)
        return "?" if self._is_sqlite else f"${len(self.parameters)}"

    def key(self, field: OrderField) -> str:
        """The expression that a list is ordered by, never null, as the index of the order has it."""
        return order_key(field, is_sqlite=self._is_sqlite)

    def behind(self, position: DestinationPosition, field: OrderField, *, descending: bool) -> None:
        """Only rows behind that position."""
        sign = "<" if descending else ">"
        if field is OrderField.ID:
            self._where(f"id {sign} {self.parameter(position.id)}")
            return
        match position.value:
            case str(text):
                value = self.parameter(text)
            case int(epoch_us):
                value = self._timestamp(epoch_us)
            case None:
                value = never(is_sqlite=self._is_sqlite)
        self._where(f"({self.key(field)}, id) {sign} ({value}, {self.parameter(position.id)})")

    async def rows(self, sql: str) -> list[DestinationRow]:
        database: Any = self.connection
        if not self._is_sqlite:
            return list(await database.fetch(sql, *self.parameters, record_class=RecordRow))
        found: Sequence[Any] = (await database.execute_query(sql, self.parameters))[1]
        return [from_sqlite(row) for row in found]

    def _where(self, condition: str) -> None:
        self._conditions.append(condition)

    def _among(self, column: str, values: Sequence[str]) -> None:
        among = ", ".join(self.parameter(str(value)) for value in values)
        self._where(f"{column} IN ({among})" if values else _NEVER)

    def _contains(self, column: str, text: str) -> None:
        if len(text) > MAX_LENGTHS[Attribute.LABEL] or not is_text(text):
            self._where(_NEVER)
            return
        replaced = column
        for one, several in replacements_of(text):
            replaced = f"replace({replaced}, {self.parameter(one)}, {self.parameter(several)})"
        operator = "GLOB" if self._is_sqlite else "~"
        patterns = map(self.parameter, patterns_of(text, is_glob=self._is_sqlite))
        self._where(f"({' OR '.join(f'{replaced} {operator} {pattern}' for pattern in patterns)})")

    def _at_host(self, host: str) -> None:
        """Only endpoints whose URL has that host, with or without a port and a path."""
        column = "lower(endpoint)" if self._is_sqlite else 'lower(endpoint COLLATE "C")'
        patterns = map(self.parameter, host_patterns(host)) if is_text(host) else ()
        likes = [f"{column} LIKE {pattern} ESCAPE '\\'" for pattern in patterns]
        self._where(f"({' OR '.join(likes)})" if likes else _NEVER)

    def _timestamp(self, epoch_us: int) -> str:
        """A timestamp as text, which SQLite stores; asyncpg would write the first one of the year 1 as infinity."""
        timestamp = self.parameter(str(_EPOCH + epoch_us * _MICROSECOND))
        return timestamp if self._is_sqlite else f"{timestamp}::text::timestamptz"


def _us_of(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND
