"""The viewer's destinations by key, filtered and ordered: the statements behind GraphQL's list.

Written as SQL because a keyset comparison is a row comparison, which the ORM cannot express and an index can answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
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


def _us_of(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


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
        return self.kinds is None and self.is_of_kinds_alone

    @property
    def is_of_kinds_alone(self) -> bool:
        """Whether nothing but the kind decides."""
        return _BESIDES_KINDS(self) == _NOTHING_BESIDES


EVERYTHING = DestinationFilter()
_BESIDES_KINDS = attrgetter(*(field.name for field in fields(DestinationFilter) if field.name != "kinds"))
_NOTHING_BESIDES = _BESIDES_KINDS(EVERYTHING)
_CHECKABLE = sorted(kind for kind, rules in KINDS.items() if rules.is_checkable)
_NEVER = "1 = 0"
_TURNS = "SELECT destination_id, user_id AS turn_user_id, checked_at AS turn_checked_at FROM check_turns"
"""SQL: the last checks by the index of their order, under names that a destination has not."""
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
    statement = SliceStatement(user_id, bounds, chosen, order)
    return Slice.of(await statement.rows(), bounds)


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
        self.is_sqlite = self.connection.capabilities.dialect == "sqlite"
        self.parameters: list[Any] = []
        self._user = self.parameter(user_id)
        self._conditions = [f"user_id = {self._user}"]
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
        return f"{'?' if self.is_sqlite else '$'}{len(self.parameters)}"

    def key(self, field: OrderField) -> str:
        """The expression that a list is ordered by, never null, as the index of the order has it."""
        return order_key(field, is_sqlite=self.is_sqlite)

    def _value(self, position: DestinationPosition) -> str:
        match position.value:
            case str(text):
                return self.parameter(text)
            case int(epoch_us):
                return self._timestamp(epoch_us)
            case None:
                return never(is_sqlite=self.is_sqlite)

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
        operator = "GLOB" if self.is_sqlite else "~"
        patterns = map(self.parameter, patterns_of(text, is_glob=self.is_sqlite))
        self._where(f"({' OR '.join(f'{replaced} {operator} {pattern}' for pattern in patterns)})")

    def _at_host(self, host: str) -> None:
        """Only endpoints whose URL has that host, with or without a port and a path."""
        column = "lower(endpoint)" if self.is_sqlite else 'lower(endpoint COLLATE "C")'
        patterns = map(self.parameter, host_patterns(host)) if is_text(host) else ()
        likes = [f"{column} LIKE {pattern} ESCAPE '\\'" for pattern in patterns]
        self._where(f"({' OR '.join(likes)})" if likes else _NEVER)

    def _timestamp(self, epoch_us: int) -> str:
        """A timestamp as text, which SQLite stores; asyncpg would write the first one of the year 1 as infinity."""
        timestamp = self.parameter(str(_EPOCH + epoch_us * _MICROSECOND))
        return timestamp if self.is_sqlite else f"{timestamp}::text::timestamptz"


class SliceStatement(_Statement):
    """The statement that reads one slice; rows come from the end of the slice first if the bounds say so."""

    def __init__(
        self, user_id: int, bounds: Bounds[DestinationPosition], chosen: DestinationFilter, order: DestinationOrder
    ) -> None:
        super().__init__(user_id, chosen)
        self._order = order
        self._backwards = order.descending != bounds.from_end
        """Whether the greatest come first."""
        field, begin, end = order.field, bounds.after, bounds.before
        if bounds.from_end:
            begin, end = end, begin
        self._from, key, id_ = "backup_destinations", self.key(field), "id"
        if field is OrderField.LAST_CHECK:
            # SQLite is made to begin at the turns, which have the index of the order.
            join = "CROSS JOIN" if self.is_sqlite else "JOIN"
            self._from = f"({_TURNS}) AS turns {join} backup_destinations ON id = destination_id"
            self._where(f"turn_user_id = {self._user}")
            key, id_ = key.replace(field, f"turn_{field}"), "destination_id"
        self._key, self._id = key, id_
        if end is not None:
            self._behind(end, descending=not self._backwards)
        direction = "DESC" if self._backwards else "ASC"
        ordered = (
            f"ORDER BY id {direction}" if field is OrderField.ID else f"ORDER BY {key} {direction}, {id_} {direction}"
        )
        self._parts: Sequence[str] = (ordered,)
        if begin is not None and self.is_sqlite and key != field:
            # SQLite finds a range in an index of expressions by one of them, not by several together.
            sign, value = "<" if self._backwards else ">", self._value(begin)
            self._parts = (
                f"AND {key} = {value} AND {id_} {sign} {self.parameter(begin.id)} ORDER BY {id_} {direction}",
                f"AND {key} {sign} {value} {ordered}",
            )
        elif begin is not None:
            self._behind(begin, descending=self._backwards)
        self._limit = bounds.size + 1
        self._ends = f"LIMIT {self.parameter(self._limit)}"

    @property
    def sql(self) -> str:
        """The text of the statement."""
        selected = f"SELECT {', '.join(COLUMNS)} FROM {self._from} WHERE {self.where}"  # noqa: S608 - values are parameters
        parts = [f"{selected} {part} {self._ends}" for part in self._parts]
        return parts[0] if len(parts) == 1 else " UNION ALL ".join(f"SELECT * FROM ({part})" for part in parts)  # noqa: S608

    async def rows(self) -> Sequence[DestinationRow]:
        """The rows, one more than the slice has if there are more."""
        database: Any = self.connection
        if not self.is_sqlite:
            records: list[DestinationRow] = list(
                await database.fetch(self.sql, *self.parameters, record_class=RecordRow)
            )
            return records
        found: Sequence[Any] = (await database.execute_query(self.sql, self.parameters))[1]
        rows = [from_sqlite(row) for row in found]
        if len(self._parts) > 1:  # a union promises no order
            rows.sort(key=self._sort_key, reverse=self._backwards)
        return rows[: self._limit]

    def _behind(self, position: DestinationPosition, *, descending: bool) -> None:
        """Only rows behind that position."""
        sign = "<" if descending else ">"
        if self._order.field is OrderField.ID:
            self._where(f"id {sign} {self.parameter(position.id)}")
            return
        place = f"({self._value(position)}, {self.parameter(position.id)})"
        self._where(f"({self._key}, {self._id}) {sign} {place}")

    def _sort_key(self, row: DestinationRow) -> tuple[Any, ...]:
        position = position_of(row, self._order)
        return (() if position.value is None else (position.value,)), position.id
