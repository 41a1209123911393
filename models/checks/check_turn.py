"""The rows that triggers keep beside the destinations: when a check of one is due, and which leases there are.

What changes with every check is found here. An index on the destinations themselves would make every check write all
their indexes anew, and the row to another place. There are no foreign keys, for the reason of `PastCheck`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tortoise import fields
from tortoise.models import Model

from models.destinations.guards import fill_missing_turns

STEP = 1_000
"""Destinations that one statement looks at, in a millisecond: events and requests wait for the core that it takes."""


class CheckTurn(Model):
    """One destination: `since` is its last check, or else its creation; null where there is no store to check."""

    destination_id = fields.IntField(primary_key=True, generated=False)
    user_id = fields.IntField()
    since = fields.DatetimeField(null=True)
    checked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "check_turns"
        table_description = "When backup destinations are due for a check"


class CheckLease(Model):
    """One destination that is being checked, and until when it may be."""

    destination_id = fields.IntField(primary_key=True, generated=False)
    claimed_until = fields.DatetimeField()

    class Meta:
        table = "check_leases"
        table_description = "Backup destinations that are being checked"


class Filled(NamedTuple):
    """What one step has done."""

    added: int
    """Rows that were missing."""
    last: int | None
    """The id that the next step begins behind; None where there is no destination any more."""


async def fill_missing(after: int) -> Filled:
    """Give the next destinations behind an id the rows that they lack, having come in while triggers were off."""
    return await _fill_missing(CheckTurn._meta.db, after)


async def fill_all_missing(_apps: object, editor: Any) -> None:
    """All steps; for migrations."""
    last: int | None = 0
    while last is not None:
        _, last = await _fill_missing(editor.client, last)


async def _fill_missing(client: Any, after: int) -> Filled:
    marks = ("?1", "?2") if client.capabilities.dialect == "sqlite" else ("$1", "$2")
    find = (
        "SELECT max(id) AS last FROM (SELECT id FROM backup_destinations "  # noqa: S608 - our own
        f"WHERE id > {marks[0]} ORDER BY id LIMIT {STEP:d}) AS step"
    )
    end = (await client.execute_query_dict(find, [after]))[0]["last"]
    if end is None:
        return Filled(0, None)
    added = 0
    for are_missing, fill in fill_missing_turns():
        # A write would make others wait, and nearly always there is nothing to do.
        if await client.execute_query_dict(are_missing.format(*marks), [after, end]):
            added += len(await client.execute_query_dict(fill.format(*marks), [after, end]))
    return Filled(added, end)
