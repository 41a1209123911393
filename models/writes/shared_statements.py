"""The statements of writes that go together on PostgreSQL: each does several acts, and stores the event of each.

Tables and columns are the models' own. The acts come as an array in JSON, so that one statement serves any number of
them. None waits for anybody: an act whose destination or user somebody else keeps just now is left out, and so is one
whose destination is no longer what was looked at. Both rows are locked before an act changes anything, the destination
first, as everybody does: an event takes its id behind the lock on its user, as `Event` promises.
"""

from __future__ import annotations

from collections.abc import Iterable

from tortoise.models import Model

from models.accounts.user import User
from models.batcher import MAX_KEYS
from models.destinations.table import BackupDestination
from models.events.event import Event, EventKind
from models.writes.statements import CHANGED, STORED, TOLD

_DESTINATIONS, _EVENTS, _USERS = (model._meta.db_table for model in (BackupDestination, Event, User))
_SAID = tuple(column for column in TOLD if column not in ("kind", "reachable"))
"""What an act says of its event: the kind is the statement's, and only a check finds something reachable."""


def _typed(model: type[Model], columns: Iterable[str]) -> str:
    """The columns with their types, of no length: what is too long the table refuses."""
    fields = model._meta.fields_map
    types = ["INT" if c == "user_id" else fields[c].get_for_dialect("postgres", "SQL_TYPE") for c in columns]
    return ", ".join(f"{column} {type_.partition('(')[0]}" for column, type_ in zip(columns, types, strict=True))


def _acts(columns: Iterable[str], *more: str) -> str:
    """The acts as rows: the number of each, its columns, and what it says of its event.

    A limit that is not known beforehand lets PostgreSQL expect a tenth of the hundred that it takes every function to
    answer: it looks rows up then, instead of reading tables.
    """
    typed = ", ".join(("n INT", _typed(BackupDestination, columns), *more, _typed(Event, _SAID)))
    return f"(SELECT * FROM json_to_recordset($1::json) AS act({typed}) LIMIT (SELECT {MAX_KEYS})) AS a"  # noqa: S608 - our own


def _told(kind: EventKind, source: str) -> str:
    return (
        f"INSERT INTO {_EVENTS} (user_id, destination_id, label, kind, {', '.join(_SAID)}) "  # noqa: S608 - our own
        f"SELECT acted.user_id, acted.id, acted.label, '{kind.value}', {', '.join(_SAID)} FROM {source}"
    )


_ROW = ", ".join(STORED)
INSERT = (
    f"WITH held AS (SELECT a.* FROM {_acts(STORED)} JOIN {_USERS} AS u ON u.id = a.user_id "  # noqa: S608 - our own
    f"FOR NO KEY UPDATE OF u SKIP LOCKED), "
    f"acted AS (INSERT INTO {_DESTINATIONS} ({_ROW}) SELECT {_ROW} FROM held RETURNING id, uid, user_id, label), "
    f"told AS ({_told(EventKind.CREATED, 'acted JOIN held ON held.uid = acted.uid')}) "
    "SELECT n, acted.id FROM acted JOIN held ON held.uid = acted.uid"
)
"""Acts of `n`, `STORED` and what an event says; it answers the `n` of those that were done, each with its row's id."""

_SETTINGS = ", ".join(f"{column} = held.{column}" for column in CHANGED)
UPDATE = (
    f"WITH held AS (SELECT a.* FROM {_acts(('id', *CHANGED), 'seen XID')} "  # noqa: S608 - names of our own
    f"JOIN {_DESTINATIONS} AS d ON d.id = a.id AND d.xmin = a.seen JOIN {_USERS} AS u ON u.id = d.user_id "
    "FOR NO KEY UPDATE OF d, u SKIP LOCKED), "
    f"acted AS (UPDATE {_DESTINATIONS} AS d SET {_SETTINGS} FROM held WHERE d.id = held.id "
    f"RETURNING d.id, d.user_id, d.label, n, {', '.join(_SAID)}), "
    f"told AS ({_told(EventKind.UPDATED, 'acted')}) SELECT n, id FROM acted"
)
"""Acts of `n`, `id`, `CHANGED`, the transaction that wrote what was `seen`, and what an event says; answers as above.

Of two acts on one destination the second finds it changed.
"""
