"""The events of a user's destinations: storing them, and reading them as an audit log or from a position on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tortoise.backends.sqlite.client import SqliteClient

from models.accounts.viewer import Viewer
from models.clock import current_second, unrepeatable
from models.database.postgresql import postgresql_behind
from models.destinations.attributes import Attribute
from models.destinations.table import BackupDestination
from models.errors import EventUnknown
from models.events.event import Event, EventKind
from models.pagination import Bounds, Slice

MAX_EVENT_ID = 2**63 - 1


def event_values(
    viewer: Viewer,
    kind: EventKind,
    changed: Sequence[Attribute] = (),
    *,
    endpoint: str | None = None,
    reachable: bool | None = None,
) -> dict[str, Any]:
    """The columns of an event, without those taken from the row that it happened to.

    `endpoint` is the row's after the change; the event has it when it is new.
    """
    is_new = kind is EventKind.CREATED or Attribute.ENDPOINT in changed
    return {
        "kind": kind,
        "changed_fields": " ".join(changed),
        "reachable": reachable,
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
) -> None:
    """Store an event, after the change itself, whose trigger has locked the user's row: see `Event`."""
    values = event_values(viewer, kind, changed, endpoint=row.endpoint, reachable=reachable)
    if isinstance(Event._meta.db, SqliteClient):
        values["id"] = await _next_id()
    await Event.create(user_id=row.user_id, destination_id=row.id, label=row.label, **values)


async def _next_id() -> int:
    """The next id on the embedded database, of the clock and chance, as PostgreSQL's trigger makes it.

    The transaction has the file to itself. A database restored from a backup never gives an id for the second time.
    """
    newest = await Event.all().order_by("-id").first()
    return unrepeatable(0 if newest is None else newest.id)


async def events_slice(user_id: int, bounds: Bounds[int]) -> Slice[Event]:
    """A slice of the events, newest first; positions are event ids."""
    query = Event.filter(user_id=user_id)
    if bounds.after is not None:
        query = query.filter(id__lt=bounds.after)
    if bounds.before is not None:
        query = query.filter(id__gt=bounds.before)
    rows = await query.order_by("id" if bounds.from_end else "-id").limit(bounds.size + 1)
    return Slice.of(rows, bounds)


async def events_after(user_id: int, event_id: int, *, limit: int) -> Sequence[Event]:
    """The oldest `limit` events after that id, oldest first; none after an id that no event can have."""
    if event_id > MAX_EVENT_ID:
        return ()
    return await Event.filter(user_id=user_id, id__gt=event_id).order_by("id").limit(limit)


async def require_events(user_id: int, event_ids: Iterable[int]) -> None:
    """Raise `EventUnknown` unless the user has events with all of these ids; what comes after another is unknown.

    Ids are never given twice, so that one of a lost history, a pruned one and one of the future are found out alike.
    """
    wanted = set(event_ids)
    if not all(0 < id_ <= MAX_EVENT_ID for id_ in wanted):
        raise EventUnknown
    if wanted and await Event.filter(id__in=sorted(wanted), user_id=user_id).count() < len(wanted):
        raise EventUnknown


async def newest_event_id(user_id: int) -> int:
    """The id of the user's last event; 0 when there is none.

    On PostgreSQL over an idle connection: a stream begins only once the id is known, and misses events before that.
    """
    database = postgresql_behind(Event)
    if database is not None:
        rows = await database.fetch(f"SELECT max(id) FROM {Event._meta.db_table} WHERE user_id = $1", user_id)  # noqa: S608 - the model's own name
        return int(rows[0][0] or 0)
    newest = await Event.filter(user_id=user_id).order_by("-id").first()
    return 0 if newest is None else newest.id


async def events_of(user_id: int, event_ids: Iterable[int]) -> dict[int, Event]:
    """The events with these ids that belong to the user, by id."""
    wanted = sorted({id_ for id_ in event_ids if 0 < id_ <= MAX_EVENT_ID})
    rows = await Event.filter(id__in=wanted, user_id=user_id) if wanted else ()
    return {event.id: event for event in rows}
