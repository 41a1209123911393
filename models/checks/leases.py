"""Leases: the right to check one destination, held by one process at a time and for a limited time.

A lease is the columns `claim` (a random token) and `claimed_until` of the destination's row; while the one of a check
that was asked for lasts, `reachability` is CHECKING. `complete` ends it with a report. The lease of a process that died
expires, and any process restores what the last stored check had found.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any, NamedTuple

from tortoise.expressions import Q
from tortoise.transactions import in_transaction

from models.accounts.viewer import Protocol, Viewer
from models.checks.check_turn import CheckLease
from models.checks.past_checks import DEFAULT_KEPT, keep
from models.checks.report import CheckReport
from models.clock import MAX_AHEAD, current_second
from models.database.postgresql import in_share
from models.destinations.attributes import Reachability
from models.destinations.table import BackupDestination
from models.events.event import EventKind
from models.events.history import record

LEASE_TIME = timedelta(seconds=30)
"""Longer than the longest check with the statements before and after it."""
SPREAD = 0.1
"""Share of the interval by which a destination is due earlier or later than exactly after it."""
SECOND_LOOK = timedelta(minutes=5)
"""After a first failure by the clock; a quarter of the interval if that is shorter."""
POSTPONED_S = (60.0, 600.0)
"""After a check that was postponed: at random between these, or a quarter of the interval, so that not all are due
together again."""
MAX_WAITING = 20_000
"""Destinations that are put in order, those that were checked the longest ago."""
_SPREAD_SHARE = "(CAST(destination_id AS bigint) % 65536 * 40503 % 65536)"
"""SQL: the 65536ths of the spread for one id, evenly distributed (40503 is 65536 divided by the golden ratio)."""
_ASKED_BY_A_USER = frozenset({Protocol.GRAPHQL, Protocol.REST})


class Lease(NamedTuple):
    """The right to check one destination; `token` is the value of its `claim` column."""

    destination_id: int
    token: str


class Due(NamedTuple):
    """A destination that is due for a check, its owner, and where its bucket is."""

    id: int
    user_id: int
    endpoint: str | None = None
    region: str | None = None
    bucket_name: str = ""


async def acquire(destination_id: int, *, stale_since: datetime | None = None, is_shown: bool = True) -> Lease | None:
    """Lease a destination with a store; None when another process holds it or it does not exist.

    With `stale_since`, also None when it was checked after that: the list of due destinations may be old by now.
    Without `is_shown` the destination goes on showing what the last check found, and no response that shows it changes.
    """
    now = current_second()
    lease = Lease(destination_id, token_hex(16))
    free = BackupDestination.filter(
        Q(claimed_until__isnull=True) | _has_expired(now), id=destination_id, bucket_name__not_isnull=True
    )
    if stale_since is not None:
        ahead = Q(checked_at__gt=now + MAX_AHEAD)
        free = free.filter(Q(checked_at__isnull=True) | Q(checked_at__lte=stale_since) | ahead)
    changes: dict[str, object] = {"claim": lease.token, "claimed_until": now + LEASE_TIME}
    if is_shown:
        changes["reachability"] = Reachability.CHECKING
    acquiring = asyncio.ensure_future(free.update(**changes))
    try:
        return lease if await asyncio.shield(acquiring) else None
    except asyncio.CancelledError:
        # A cancelled statement may have been executed.
        await asyncio.wait({acquiring})
        await asyncio.shield(release(lease))
        raise


async def complete(
    lease: Lease,
    report: CheckReport,
    viewer: Viewer,
    *,
    every: timedelta | None = None,
    kept: int = DEFAULT_KEPT,
) -> CheckReport:
    """Store the report, also as one of the `kept` past ones, and end the lease.

    Stores nothing when the destination has changed since `acquire`. Returns the report with the time since when the
    destination is unreachable.

    Records an event when a user asked for the check, or when the outcome differs from the stored one. With `every`, the
    interval of the scheduler, a failure after a check that passed is not stored: the destination stays REACHABLE and is
    due again after SECOND_LOOK, because stores and networks fail for moments.
    """
    async with in_share(BackupDestination, viewer.user_id), in_transaction():
        row = await _leased_row(lease)
        if row is None:
            return report
        before, last = stored_reachability(row), stored_report(row)
        if not report.reachable:
            report = replace(report, unreachable_since=_unreachable_since(last) or report.checked_at)
            if every is not None and last is not None and last.reachable and last.unreachable_since is None:
                row.reachability = before
                row.checked_at = _due_after(row.id, every, report.checked_at, SECOND_LOOK)
                row.last_check = replace(last, unreachable_since=report.checked_at).to_json()
                await _end(row, "last_check", "checked_at")
                await keep(row.id, report, kept)
                return report
        row.reachability = Reachability.REACHABLE if report.reachable else Reachability.UNREACHABLE
        row.last_check, row.checked_at = report.to_json(), report.checked_at
        await _end(row, "last_check", "checked_at")
        await keep(row.id, report, kept)
        if viewer.protocol in _ASKED_BY_A_USER or row.reachability is not before:
            await record(viewer, EventKind.CHECKED, row, reachable=report.reachable)
        return report


async def release(lease: Lease, *, due_again: timedelta | None = None) -> None:
    """End the lease without a report; the destination shows what the last stored check had found.

    With `due_again`, the interval of the scheduler, it is due again in some minutes.
    """
    async with in_transaction():
        row = await _leased_row(lease)
        if row is None:
            return
        row.reachability = stored_reachability(row)
        if due_again is None:
            await _end(row)
            return
        wait = timedelta(seconds=random.uniform(*POSTPONED_S))  # noqa: S311 - spreads the checks, hides nothing
        row.checked_at = _due_after(row.id, due_again, current_second(), wait)
        await _end(row, "checked_at")


async def release_expired(*, limit: int = 100) -> int:
    """Release leases whose time is over, at most `limit`; returns how many there were."""
    now = current_second()
    expired = CheckLease.filter(_has_expired(now)).order_by("claimed_until").limit(limit)
    ids = [lease.destination_id for lease in await expired]
    # Another process may have claimed one meanwhile: its new claim is not the one that has expired.
    rows = await BackupDestination.filter(_has_expired(now), id__in=ids).only("id", "claim") if ids else []
    leases = [Lease(row.id, row.claim) for row in rows if row.claim is not None]
    for lease in leases:
        await release(lease)
    return len(leases)


async def due(every: timedelta, *, limit: int) -> Sequence[Due]:
    """Destinations last checked (or else created) about `every` ago, at most `limit`, fairly ordered.

    The turns of each user come one after the other, and so do those of each store; within both the one that was checked
    the longest ago comes first. Otherwise a user with many destinations, or a store that many have, would keep those of
    all others waiting. Each destination has its own time within the spread. The statement computes it: otherwise
    destinations that are not due yet would use up the limit. What was checked later than now is due: the clock was set
    back since.
    """
    connection = BackupDestination._meta.db
    spread_s = round(every.total_seconds() * 2 * SPREAD)
    later_s = f"{_SPREAD_SHARE} * {spread_s} / 65536"
    times: list[datetime] | list[str] = [stale_before(every), current_second() + MAX_AHEAD]
    if connection.capabilities.dialect == "sqlite":
        mark, own = "?1", f"datetime(?1, '-' || ({later_s}) || ' seconds') || '+00:00'"
        ahead, times = "?2", [str(each) for each in times]
    else:
        mark, own, ahead = "$1", f"$1 - make_interval(secs => {later_s})", "$2"
    # Each by the index; one condition with OR would read all turns.
    waiting = " UNION ALL ".join(
        f"SELECT * FROM (SELECT destination_id, since FROM check_turns WHERE {condition} "  # noqa: S608
        f"ORDER BY since LIMIT {MAX_WAITING:d}) AS {name}"
        for name, condition in (
            ("waiting", f"since <= {mark} AND since <= {own}"),
            ("ahead", f"since > {ahead}"),
        )
    )
    columns = "id, user_id, endpoint, region, bucket_name"
    turns = (
        f"SELECT {columns}, since, coalesce(endpoint, region || '/' || bucket_name) AS store "  # noqa: S608
        f"FROM ({waiting}) AS turns JOIN backup_destinations ON id = destination_id WHERE bucket_name IS NOT NULL"
    )
    for name, of, order in (
        ("own_turn", "user_id, store", "since, id"),
        ("user_turn", "user_id", "own_turn, since, id"),
        ("store_turn", "store", "user_turn, since, id"),
    ):
        turn = f"row_number() OVER (PARTITION BY {of} ORDER BY {order}) AS {name}"
        turns = f"SELECT *, {turn} FROM ({turns}) AS by_{name}"  # noqa: S608
    # Begins with SELECT, so that SQLite answers it without its one writer.
    rows: Sequence[Any] = await connection.execute_query_dict(
        f"SELECT {columns} FROM ({turns}) AS found "  # noqa: S608
        f"ORDER BY user_turn + store_turn, since, id LIMIT {limit:d}",
        times,
    )
    return [Due(**row) for row in rows]


def stale_before(every: timedelta) -> datetime:
    """The latest time of the last check at which a destination may be due again."""
    return current_second() - every * (1 - SPREAD)


def stored_reachability(row: BackupDestination) -> Reachability:
    """The outcome of the last stored check."""
    report = stored_report(row)
    if report is None:
        return Reachability.UNKNOWN
    return Reachability.REACHABLE if report.reachable else Reachability.UNREACHABLE


def stored_report(row: BackupDestination) -> CheckReport | None:
    """The report of the last stored check; None where there is none, or not one that this software wrote."""
    stored: str | None = row.last_check
    try:
        return None if stored is None else CheckReport.from_json(stored)
    except ValueError:
        return None


def _unreachable_since(last: CheckReport | None) -> datetime | None:
    """When the failures began that the last report tells of."""
    if last is None or last.unreachable_since is not None:
        return None if last is None else last.unreachable_since
    return None if last.reachable else last.checked_at


def _due_after(destination_id: int, every: timedelta, now: datetime, wait: timedelta) -> datetime:
    """The `checked_at` with which a destination is due after `wait`, or a quarter of the interval; reverse of `due`."""
    later_s = destination_id % 65_536 * 40_503 % 65_536 * round(every.total_seconds() * 2 * SPREAD) // 65_536
    since = now + min(wait, every / 4) - every * (1 - SPREAD) - timedelta(seconds=later_s)
    return since.replace(microsecond=0)


def _has_expired(now: datetime) -> Q:
    """Leases that ended, and those that end later than any new one could: a clock was set back since."""
    return Q(claimed_until__lte=now) | Q(claimed_until__gt=now + 2 * LEASE_TIME)


async def _leased_row(lease: Lease) -> BackupDestination | None:
    query = BackupDestination.filter(id=lease.destination_id, claim=lease.token)
    return await query.select_for_update().first()


async def _end(row: BackupDestination, *also: str) -> None:
    for column in ("claim", "claimed_until"):
        setattr(row, column, None)
    await row.save(update_fields=["reachability", "claim", "claimed_until", *also])
