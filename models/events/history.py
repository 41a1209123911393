"""The events of a user's destinations: storing them, and reading them as an audit log or from a position on."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise.backends.sqlite.client import SqliteClient

from models.accounts.user import User
from models.accounts.viewer import Protocol, Viewer
from models.clock import current_second, unrepeatable
from models.database.postgresql import postgresql_behind
from models.destinations.attributes import Attribute
from models.destinations.table import BackupDestination
from models.errors import EventUnknown
from models.events.event import Event, EventKind
from models.pagination import Bounds, Slice

MAX_EVENT_ID = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class EventFilter:
    """Conditions on events; one that is None is met by all. `since` is included, `until` is not."""

    destination_id: int | None = None
    kinds: frozenset[EventKind] | None = None
    protocols: frozenset[Protocol] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> dict[str, Any]:
        """The conditions as the ORM takes them."""
        given: dict[str, Any] = {
            "destination_id": self.destination_id,
            "kind__in": None if self.kinds is None else sorted(self.kinds),
            "protocol__in": None if self.protocols is None else sorted(self.protocols),
            "occurred_at__gte": self.since,
            "occurred_at__lt": self.until,
        }
        return {name: value for name, value in given.items() if value is not None}


EVERY_EVENT = EventFilter()


@dataclass(frozen=True, kw_only=True, slots=True)
class DestinationEvents:
    """A slice of the events of one destination that is asked for."""

    destination_id: int
    bounds: Bounds[int]
    chosen: EventFilter = EVERY_EVENT


def event_values(
    viewer: Viewer,
    kind: EventKind,
    changed: Sequence[Attribute] = (),
    *,
    endpoint: str | None = None,
    reachable: bool | None = None,
    granted: str | None = None,
) -> dict[str, Any]:
    """The columns of an event, without those taken from the row that it happened to.

    `endpoint` is the row's after the change; the event has it when it is new.
    """
    is_new = kind is EventKind.CREATED or Attribute.ENDPOINT in changed
    return {
        "kind": kind,
        "changed_fields": " ".join(changed),
        "reachable": reachable,
        "granted": granted,
        "protocol": viewer.protocol,
        "token_id": viewer.token_id,
        "token_name": viewer.token_name,
        "new_endpoint": endpoint if is_new else None,
        "address": viewer.address,
        "request_id": viewer.request_id,
        "occurred_at": current_second(),
    }


async def record(
    viewer: Viewer,
    kind: EventKind,
    row: BackupDestination,
    changed: Sequence[Attribute] = (),
    *,
    reachable: bool | None = None,
    granted: str | None = None,
) -> None:
    """Store an event, after the change itself, whose trigger has locked the user's row: see `Event`."""
    values = event_values(viewer, kind, changed, endpoint=row.endpoint, reachable=reachable, granted=granted)
    if isinstance(Event._meta.db, SqliteClient):
        values["id"] = await _next_id()
    await Event.create(user_id=row.user_id, destination_id=row.id, label=row.label, **values)


async def _next_id() -> int:
    """The next id on the embedded database, of the clock and chance, as PostgreSQL's trigger makes it.

    The transaction has the file to itself. A database restored from a backup never gives an id for the second time.
    """
    newest = await Event.all().order_by("-id").first()
    return unrepeatable(0 if newest is None else newest.id)


def next_event_id(connection: sqlite3.Connection) -> int:
    """As `_next_id`, in a transaction of the embedded database's writer."""
    (newest,) = connection.execute("SELECT max(id) FROM events").fetchone()
    return unrepeatable(newest or 0)


async def events_slice(user_id: int, bounds: Bounds[int], chosen: EventFilter) -> Slice[Event]:
    """A slice of the events that match `chosen`, newest first; positions are event ids."""
    query = Event.filter(user_id=user_id, **chosen.conditions())
    if bounds.after is not None:
        query = query.filter(id__lt=bounds.after)
    if bounds.before is not None:
        query = query.filter(id__gt=bounds.before)
    rows = await query.order_by("id" if bounds.from_end else "-id").limit(bounds.size + 1)
    return Slice.of(rows, bounds)


async def events_of_destinations(
    user_id: int, wanted: Sequence[DestinationEvents]
) -> dict[DestinationEvents, Slice[Event]]:
    """A slice of the events of each of these destinations, newest first, all by one statement; `from_end` is ignored.

    Each slice is read by the index of a destination's events, however many there are.
    """
    database = postgresql_behind(Event)
    parameters: list[Any] = [user_id]
    parts: list[str] = []
    for number, one in enumerate(wanted):
        conditions = ["user_id = $1", f"destination_id = {one.destination_id:d}"]
        for name, value in one.chosen.conditions().items():
            column, _, operator = name.partition("__")
            values = list(value) if operator == "in" else [value if database is not None else _as_text(value)]
            parameters += values
            marks = [f"${len(parameters) - len(values) + n}" for n in range(1, len(values) + 1)]
            if operator == "in":
                conditions.append(f"{column} IN ({', '.join(marks)})" if marks else "1 = 0")
            else:
                conditions.append(f"{column} {_SIGNS[operator]} {marks[0]}")
        if one.bounds.after is not None:
            conditions.append(f"id < {one.bounds.after:d}")
        parts.append(
            f"SELECT * FROM (SELECT {number} AS n, {', '.join(_COLUMNS)} FROM {_EVENTS} "  # noqa: S608 - integers and names of our own
            f"WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT {one.bounds.size + 1:d}) AS part{number}"
        )
    found: list[list[Event]] = [[] for _ in wanted]
    for row in await _fetch(" UNION ALL ".join(parts), parameters):
        found[row["n"]].append(Event._init_from_db(**{column: row[column] for column in _COLUMNS}))
    for events in found:
        events.sort(key=lambda event: event.id, reverse=True)
    return {one: Slice.of(events, one.bounds) for one, events in zip(wanted, found, strict=True)}


def _as_text(value: Any) -> Any:
    """A timestamp as SQLite stores it."""
    return str(value) if isinstance(value, datetime) else value


async def events_after(user_id: int, position: int, *, limit: int) -> Sequence[Event]:
    """The oldest `limit` events after a position in the user's history, oldest first.

    A position is the id of an event, or 0 before the first; once events were pruned the history begins with the last
    of them. Raises `EventUnknown` for any other: one of a lost history, pruned, of the future, or another user's. The
    position is looked up in the statement that reads the events, so that nothing is lost between the two.
    """
    if position > MAX_EVENT_ID:
        raise EventUnknown
    rows = await _fetch(_AFTER, [user_id, position, limit])
    if rows and not _is_known(position, rows[0]):
        raise EventUnknown
    return [Event._init_from_db(**{column: row[column] for column in _COLUMNS}) for row in rows if row["id"]]


async def require_events(user_id: int, event_ids: Iterable[int]) -> None:
    """Raise `EventUnknown` unless the user has events with all of these ids; what comes after another is unknown.

    Ids are never given twice, so that one of a lost history, a pruned one and one of the future are found out alike.
    """
    wanted = set(event_ids)
    if not all(0 < id_ <= MAX_EVENT_ID for id_ in wanted):
        raise EventUnknown
    if wanted and await Event.filter(id__in=sorted(wanted), user_id=user_id).count() < len(wanted):
        raise EventUnknown


async def newest_position(user_id: int) -> int:
    """The end of the user's history, for `events_after`: the id of the newest event, also if it was pruned since.

    On PostgreSQL over an idle connection: a stream begins only once the position is known, and misses what is before.
    """
    rows = await _fetch(_NEWEST, [user_id])
    return int(rows[0]["newest"]) if rows else 0


async def newest_events(user_ids: Collection[int]) -> Mapping[int, int]:
    """The id of the newest event that is stored of each of these users, by user; 0 where there is none."""
    if postgresql_behind(Event) is not None:
        rows = await _fetch(f"{_NEWEST_STORED} id = any($1)", [list(user_ids)])
    else:
        marks = ", ".join(f"${number}" for number in range(1, len(user_ids) + 1))
        rows = await _fetch(f"{_NEWEST_STORED} id IN ({marks})", list(user_ids))
    return {row["id"]: row["newest"] for row in rows}


async def events_of(user_id: int, event_ids: Iterable[int]) -> dict[int, Event]:
    """The events with these ids that belong to the user, by id."""
    wanted = sorted({id_ for id_ in event_ids if 0 < id_ <= MAX_EVENT_ID})
    rows = await Event.filter(id__in=wanted, user_id=user_id) if wanted else ()
    return {event.id: event for event in rows}


_EVENTS, _USERS = Event._meta.db_table, User._meta.db_table
_COLUMNS = tuple(dict.fromkeys(("id", "user_id", *Event._meta.fields_db_projection.values())))
_AFTER = (
    f"SELECT {', '.join(f'e.{column}' for column in _COLUMNS)}, u.pruned_event_id, "  # noqa: S608 - names of our own
    f"EXISTS (SELECT 1 FROM {_EVENTS} AS p WHERE p.id = $2 AND p.user_id = $1) AS is_stored FROM {_USERS} AS u "
    f"LEFT JOIN (SELECT * FROM {_EVENTS} WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3) AS e ON e.user_id = u.id "
    "WHERE u.id = $1 ORDER BY e.id"
)
"""The events after a position: user, position, limit. A row without an event where there is none."""
_NEWEST = (
    f"SELECT CASE WHEN newest > pruned_event_id THEN newest ELSE pruned_event_id END AS newest FROM {_USERS} "  # noqa: S608 - names of our own
    f"CROSS JOIN (SELECT coalesce(max(id), 0) AS newest FROM {_EVENTS} WHERE user_id = $1) AS e WHERE {_USERS}.id = $1"
)

_NEWEST_STORED = (
    f"SELECT id, coalesce((SELECT max(id) FROM {_EVENTS} WHERE user_id = {_USERS}.id), 0) AS newest "  # noqa: S608 - names of our own
    f"FROM {_USERS} WHERE"
)


def _is_known(position: int, row: Mapping[str, Any]) -> bool:
    """Whether all that came after the position is stored still."""
    pruned: int = row["pruned_event_id"]
    return position == pruned or (bool(row["is_stored"]) and position > pruned)


_SIGNS = {"": "=", "gte": ">=", "lt": "<"}


async def _fetch(sql: str, parameters: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
    """The rows of a statement whose parameters are `$1`, `$2`, …"""
    database = postgresql_behind(Event)
    if database is not None:
        records: Sequence[Any] = await database.fetch(sql, *parameters)
        return records
    client = Event._meta.db
    is_sqlite = isinstance(client, SqliteClient)
    rows: Sequence[Mapping[str, Any]] = await client.execute_query_dict(
        sql.replace("$", "?") if is_sqlite else sql, list(parameters)
    )
    return rows
