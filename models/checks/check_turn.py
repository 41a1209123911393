"""The rows that triggers keep beside the destinations: when a check of one is due, and which leases there are.

What changes with every check is found here. An index on the destinations themselves would make every check write all
their indexes anew, and the row to another place. There are no foreign keys, for the reason of `PastCheck`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tortoise import fields
from tortoise.models import Model

from models.destinations.guards import fill_missing_turns

STEP = 10_000
"""Destinations that one statement looks at."""
PAUSE_S = 0.05
"""Between two of them."""


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


async def fill_missing() -> int:
    """Give destinations that came in while triggers were off their rows, in small steps; returns how many got one."""
    return await _fill_missing(CheckTurn._meta.db, pause_s=PAUSE_S)


async def fill_all_missing(_apps: object, editor: Any) -> None:
    """The same for migrations."""
    await _fill_missing(editor.client, pause_s=0)


async def _fill_missing(client: Any, *, pause_s: float) -> int:
    marks = ("?1", "?2") if client.capabilities.dialect == "sqlite" else ("$1", "$2")
    find = (
        "SELECT max(id) AS last FROM (SELECT id FROM backup_destinations "  # noqa: S608 - our own
        f"WHERE id > {marks[0]} ORDER BY id LIMIT {STEP:d}) AS step"
    )
    filled = last = 0
    while (end := (await client.execute_query_dict(find, [last]))[0]["last"]) is not None:
        for statement in fill_missing_turns():
            filled += len(await client.execute_query_dict(statement.format(*marks), [last, end]))
        last = end
        await asyncio.sleep(pause_s)
    return filled
