"""The statements of a write that goes alone on PostgreSQL: it and its event are one statement, and so one transaction.

Tables and columns are the models' own. An event takes its id after the lock on its user's row, as `Event` promises: it
is inserted from a subquery that locks the row, which PostgreSQL neither flattens nor runs ahead of the lock. The lock
is as strong as the one that the triggers take when the statement ends. As with them, the destination is locked before
the user, so that all transactions lock in one order. A weak lock, of the kind that a foreign key takes, comes before
the strong one: transactions that wait for an exclusive lock then wait in parallel, not one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from tortoise.models import Model

from models.accounts.user import User
from models.destinations.table import BackupDestination
from models.events.event import Event


def _columns(model: type[Model], *, without: Sequence[str]) -> tuple[str, ...]:
    """The columns of a table of users' rows; the ORM's own list has `user_id` only once it is connected."""
    columns = dict.fromkeys(("user_id", *model._meta.fields_db_projection.values()))
    return tuple(column for column in columns if column not in without)


def _numbered(columns: Sequence[str], *, after: int = 0) -> list[str]:
    return [f"${number}" for number, _ in enumerate(columns, start=after + 1)]


_DESTINATIONS, _EVENTS, _USERS = (model._meta.db_table for model in (BackupDestination, Event, User))

STORED = _columns(BackupDestination, without=("id",))
"""What a new row is made of; the database numbers it."""
CHANGED = _columns(BackupDestination, without=("id", "uid", "user_id", "created_at"))
"""What may change. Every change writes all of it, so that one statement serves every change."""
BESIDE_ATTRIBUTES = (
    "credentials_set_at",
    "reachability",
    "last_check",
    "checked_at",
    "claim",
    "claimed_until",
    "updated_at",
    "version",
)
"""The columns that a change of attributes may change too."""
EVENT_COLUMNS = _columns(Event, without=("id", "user_id", "destination_id", "label"))
"""The columns of an event that are given; its user, destination and label are taken from the row."""


def _with_event(change: str, parameters: int) -> str:
    """The statement that makes `change` to one row and stores the event; returns the row's id, or no row."""
    held = (
        f"SELECT u.id AS user_id, written.id, written.label FROM written JOIN {_USERS} AS u ON u.id = written.user_id "  # noqa: S608 - names of our own
        "FOR KEY SHARE OF u"
    )
    return (
        f"WITH written AS ({change} RETURNING id, user_id, label), event AS ("  # noqa: S608 - names of our own
        f"INSERT INTO {_EVENTS} (user_id, destination_id, label, {', '.join(EVENT_COLUMNS)}) "
        f"SELECT u.id, held.id, held.label, {', '.join(_numbered(EVENT_COLUMNS, after=parameters))} "
        f"FROM ({held}) AS held JOIN {_USERS} AS u ON u.id = held.user_id FOR NO KEY UPDATE OF u) "
        "SELECT id FROM written"
    )


SNAPSHOT = ("xmin", "id", *STORED)
"""The columns of a snapshot, which is read before a change."""
SNAPSHOTS = f"SELECT {', '.join(SNAPSHOT)} FROM {_DESTINATIONS} WHERE id = any($1)"  # noqa: S608 - names of our own
"""Snapshots by id, each with the transaction that wrote the row (`xmin`): every change gives it another."""

INSERT = _with_event(
    f"INSERT INTO {_DESTINATIONS} ({', '.join(STORED)}) VALUES ({', '.join(_numbered(STORED))})",  # noqa: S608
    len(STORED),
)
"""Parameters: `STORED`, `EVENT_COLUMNS`."""

_SETTINGS = ", ".join(f"{c} = {value}" for c, value in zip(CHANGED, _numbered(CHANGED, after=2), strict=True))
UPDATE = _with_event(
    f"UPDATE {_DESTINATIONS} SET {_SETTINGS} WHERE id = $1 AND xmin = $2",  # noqa: S608 - names of our own
    2 + len(CHANGED),
)
"""Parameters: the id, the snapshot's transaction, `CHANGED`, `EVENT_COLUMNS`. A row changed since stays as it is."""

DELETE = _with_event(f"DELETE FROM {_DESTINATIONS} WHERE id = $1 AND user_id = $2", 2)  # noqa: S608 - names of our own
"""Parameters: the id, its user, `EVENT_COLUMNS`. Another user's row stays."""
