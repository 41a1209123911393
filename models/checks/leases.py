"""Who checks a destination just now: a claim on its row, which one process gets and which ends by itself.

While it stands the destination shows as being checked. It is given back with what was found; a claim whose holder died
is settled by whichever process looks next, and shows again what was found before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any, NamedTuple

from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from models.accounts.viewer import Protocol, Viewer
from models.checks.report import CheckReport
from models.clock import current_second
from models.destinations.attributes import Reachability
from models.destinations.table import BackupDestination
from models.events.event import EventKind
from models.events.history import record

LEASE = timedelta(seconds=30)
"""Longer than the longest check and what is written before and after it."""
SPREAD = 0.1
"""Of the interval: how much earlier or later than after just that one destination or another is due."""
_SHARE = "(CAST(id AS bigint) % 65536 * 40503 % 65536)"
"""In SQL, how many 65536ths of the spread are one destination's own: evenly spread, for 40503 is the golden ratio's."""
_ASKED = frozenset({Protocol.GRAPHQL, Protocol.REST})


class Claim(NamedTuple):
    """The right to check one destination."""

    destination_id: int
    word: str


class Due(NamedTuple):
    """A destination that is to be checked, and whose it is."""

    id: int
    user_id: int


async def take(destination_id: int, *, stale_since: datetime | None = None) -> Claim | None:
    """Claim a destination that can be checked; None when somebody else has it, or it is gone.

    With a moment, also when it was checked after that: whoever works through a list has looked at it a while ago.
    """
    now = current_second()
    claim = Claim(destination_id, token_hex(16))
    chosen = BackupDestination.filter(
        Q(claimed_until__isnull=True) | _is_over(now), id=destination_id, bucket_name__not_isnull=True
    )
    if stale_since is not None:
        chosen = chosen.filter(Q(checked_at__isnull=True) | Q(checked_at__lte=stale_since))
    changes = {"claim": claim.word, "claimed_until": now + LEASE, "reachability": Reachability.CHECKING}
    taking = asyncio.ensure_future(chosen.update(**changes))
    try:
        return claim if await asyncio.shield(taking) else None
    except asyncio.CancelledError:
        # A statement that is called off may have happened.
        await asyncio.wait({taking})
        await asyncio.shield(give_up(claim))
        raise


async def give_back(claim: Claim, report: CheckReport, viewer: Viewer) -> None:
    """Store what was found, unless the destination has changed since: then it is not true of it any more.

    The event is stored when a user asked, or when the outcome is another than before.
    """
    async with in_transaction():
        row = await _held(claim)
        if row is None:
            return
        before = found_before(row)
        row.reachability = Reachability.REACHABLE if report.reachable else Reachability.UNREACHABLE
        row.last_check, row.checked_at = report.to_json(), report.checked_at
        await _release(row, "last_check", "checked_at")
        if viewer.protocol in _ASKED or row.reachability is not before:
            await record(viewer, EventKind.CHECKED, row, reachable=report.reachable)


async def give_up(claim: Claim) -> None:
    """End a check that found nothing; the destination shows what was found before."""
    async with in_transaction():
        row = await _held(claim)
        if row is not None:
            row.reachability = found_before(row)
            await _release(row)


async def settle(*, limit: int = 100) -> int:
    """Give up the claims whose time is over, for those who died with them; says how many there were."""
    over = BackupDestination.filter(_is_over(current_second())).order_by("claimed_until").limit(limit)
    claims = [Claim(row.id, row.claim) for row in await over.only("id", "claim") if row.claim is not None]
    for claim in claims:
        await give_up(claim)
    return len(claims)


async def due(every: timedelta, *, limit: int) -> Sequence[Due]:
    """Destinations last checked, or made, so long ago, the longest first; each has its own moment around then.

    That moment is part of the statement: those that are not due yet would use the limit up.
    """
    connection = BackupDestination._meta.db
    spread_s = round(every.total_seconds() * 2 * SPREAD)
    since, later_s = "coalesce(checked_at, created_at)", f"{_SHARE} * {spread_s} / 65536"
    latest: datetime | str = stale_moment(every)
    if connection.capabilities.dialect == "sqlite":
        mark, own, latest = "?1", f"datetime(?1, '-' || ({later_s}) || ' seconds') || '+00:00'", str(latest)
    else:
        mark, own = "$1", f"$1 - make_interval(secs => {later_s})"
    rows: Sequence[Any] = await connection.execute_query_dict(
        f"SELECT id, user_id FROM backup_destinations WHERE bucket_name IS NOT NULL AND {since} <= {mark} "  # noqa: S608
        f"AND {since} <= {own} ORDER BY {since} LIMIT {limit:d}",
        [latest],
    )
    return [Due(row["id"], row["user_id"]) for row in rows]


def stale_moment(every: timedelta) -> datetime:
    """The moment up to which a check is so old that the next one may be due."""
    return current_second() - every * (1 - SPREAD)


def found_before(row: BackupDestination) -> Reachability:
    """What the last check that was stored had found."""
    stored: str | None = row.last_check
    if stored is None:
        return Reachability.UNKNOWN
    try:
        return Reachability.REACHABLE if CheckReport.from_json(stored).reachable else Reachability.UNREACHABLE
    except ValueError:  # somebody else's words, written past us
        return Reachability.UNKNOWN


def _is_over(now: datetime) -> Q:
    """Whether a claim has ended, or ends later than any can that a clock like ours made: one of them was set back."""
    return Q(claimed_until__lte=now) | Q(claimed_until__gt=now + 2 * LEASE)


async def _held(claim: Claim) -> BackupDestination | None:
    query = BackupDestination.filter(id=claim.destination_id, claim=claim.word)
    return await query.select_for_update().first()


async def _release(row: BackupDestination, *also: str) -> None:
    for column in ("claim", "claimed_until"):
        setattr(row, column, None)
    await row.save(update_fields=["reachability", "claim", "claimed_until", *also])
