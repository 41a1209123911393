"""The checks that were made of each destination: kept up to a number, the oldest dropped as new ones come, and read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from models.checks.past_check import PastCheck
from models.checks.report import CheckReport
from models.pagination import Bounds, Slice

DEFAULT_KEPT = 50
"""Checks of one destination."""


class Seen(NamedTuple):
    """A check that was made; ids of one destination rise with time."""

    id: int
    report: CheckReport


async def keep(destination_id: int, report: CheckReport, most: int) -> None:
    """Store a check, and drop all but the `most` newest of the destination; within the transaction of the caller."""
    if most > 0:
        await PastCheck.create(destination_id=destination_id, report=report.to_json())
    kept = PastCheck.filter(destination_id=destination_id)
    first_dropped = await kept.order_by("-id").offset(most).first()
    if first_dropped is not None:
        await kept.filter(id__lte=first_dropped.id).delete()


async def past_checks(destination_ids: Collection[int], bounds: Bounds[int]) -> dict[int, Slice[Seen]]:
    """A slice of the checks of each of these destinations, newest first, by one statement; positions are ids."""
    rows = await _rows(destination_ids, bounds) if destination_ids else []
    found: dict[int, list[Seen]] = {id_: [] for id_ in destination_ids}
    for id_, destination_id, report in _readable(rows):
        found[destination_id].append(Seen(id_, report))
    return {destination_id: Slice.of(seen, bounds) for destination_id, seen in found.items()}


async def _rows(destination_ids: Iterable[int], bounds: Bounds[int]) -> list[dict[str, Any]]:
    ids = ", ".join(f"{id_:d}" for id_ in destination_ids)
    before = "" if bounds.after is None else f"AND id < {bounds.after:d}"
    rows: list[dict[str, Any]] = await PastCheck._meta.db.execute_query_dict(
        "SELECT id, destination_id, report FROM (SELECT id, destination_id, report, "  # noqa: S608 - integers
        "row_number() OVER (PARTITION BY destination_id ORDER BY id DESC) AS n "
        f"FROM past_checks WHERE destination_id IN ({ids}) {before}) AS numbered "
        f"WHERE n <= {bounds.size + 1:d} ORDER BY id DESC"
    )
    return rows


def _readable(rows: Iterable[dict[str, Any]]) -> Iterable[tuple[int, int, CheckReport]]:
    """The rows with their reports, without those that this software did not write."""
    for row in rows:
        try:
            yield row["id"], row["destination_id"], CheckReport.from_json(row["report"])
        except ValueError:
            continue
