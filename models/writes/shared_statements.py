"""The statements of writes that go together on PostgreSQL: each executes several, and stores the event of each.

Tables and columns are the models' own. The writes come as an array in JSON, so that one statement serves any number of
them. None waits for a lock: a write whose destination or user is locked by another transaction is left out, and so is
one whose destination has changed since its snapshot. Both rows are locked before anything changes, the destination
first, as everywhere: an event takes its id after the lock on its user, as `Event` promises.
"""

from __future__ import annotations

from collections.abc import Iterable

from tortoise.models import Model

from models.accounts.user import User
from models.batcher import MAX_KEYS
from models.destinations.table import BackupDestination
from models.events.event import Event, EventKind
from models.writes.statements import CHANGED, EVENT_COLUMNS, STORED

_DESTINATIONS, _EVENTS, _USERS = (model._meta.db_table for model in (BackupDestination, Event, User))
_GIVEN_EVENT_COLUMNS = tuple(column for column in EVENT_COLUMNS if column not in ("kind", "reachable"))
"""What a write gives of its event: the kind is the statement's, and only a check finds something reachable."""


def _typed(model: type[Model], columns: Iterable[str]) -> str:
    """The columns with their types, without a length: the table itself refuses what is too long."""
    fields = model._meta.fields_map
    types = ["INT" if c == "user_id" else fields[c].get_for_dialect("postgres", "SQL_TYPE") for c in columns]
    return ", ".join(f"{column} {type_.partition('(')[0]}" for column, type_ in zip(columns, types, strict=True))


def _writes(columns: Iterable[str], *more: str) -> str:
    """The writes as rows: the number of each, its columns, and what it gives of its event.

    A limit that is not a constant makes PostgreSQL expect a tenth of the hundred rows that it assumes of every
    function: it looks rows up then, instead of reading tables.
    """
    typed = ", ".join(("n INT", _typed(BackupDestination, columns), *more, _typed(Event, _GIVEN_EVENT_COLUMNS)))
    return f"(SELECT * FROM json_to_recordset($1::json) AS w({typed}) LIMIT (SELECT {MAX_KEYS})) AS w"  # noqa: S608 - our own


def _insert_event(kind: EventKind, source: str) -> str:
    return (
        f"INSERT INTO {_EVENTS} (user_id, destination_id, label, kind, {', '.join(_GIVEN_EVENT_COLUMNS)}) "  # noqa: S608 - our own
        f"SELECT written.user_id, written.id, written.label, '{kind.value}', {', '.join(_GIVEN_EVENT_COLUMNS)} "
        f"FROM {source}"
    )


_ROW = ", ".join(STORED)
INSERT = (
    f"WITH held AS (SELECT w.* FROM {_writes(STORED)} JOIN {_USERS} AS u ON u.id = w.user_id "  # noqa: S608 - our own
    f"FOR NO KEY UPDATE OF u SKIP LOCKED), "
    f"written AS (INSERT INTO {_DESTINATIONS} ({_ROW}) SELECT {_ROW} FROM held RETURNING id, uid, user_id, label), "
    f"event AS ({_insert_event(EventKind.CREATED, 'written JOIN held ON held.uid = written.uid')}) "
    "SELECT n, written.id FROM written JOIN held ON held.uid = written.uid"
)
"""Takes `n`, `STORED` and the given event columns of each; returns `n` and the row's id of those executed."""

_SETTINGS = ", ".join(f"{column} = held.{column}" for column in CHANGED)
UPDATE = (
    f"WITH held AS (SELECT w.* FROM {_writes(('id', *CHANGED), 'snapshot XID')} "  # noqa: S608 - names of our own
    f"JOIN {_DESTINATIONS} AS d ON d.id = w.id AND d.xmin = w.snapshot JOIN {_USERS} AS u ON u.id = d.user_id "
    "FOR NO KEY UPDATE OF d, u SKIP LOCKED), "
    f"written AS (UPDATE {_DESTINATIONS} AS d SET {_SETTINGS} FROM held WHERE d.id = held.id "
    f"RETURNING d.id, d.user_id, d.label, n, {', '.join(_GIVEN_EVENT_COLUMNS)}), "
    f"event AS ({_insert_event(EventKind.UPDATED, 'written')}) SELECT n, id FROM written"
)
"""Takes `n`, `id`, `CHANGED`, the transaction that wrote the `snapshot`, and the given event columns; returns as above.

Of two writes of one destination the second finds it changed.
"""
