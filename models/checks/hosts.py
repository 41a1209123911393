"""How often checks by the clock may begin at one host, whoever's destinations are there, counted by all processes.

The generic cell rate algorithm (ITU-T I.371) in one row for each host: half of a minute's checks may begin at once, and
the others follow evenly, so that in no minute there are more than the limit.
"""

from __future__ import annotations

import time

from models.checks.store_host import StoreHost

_MINUTE_MS = 60_000
_KEPT_MS = 3_600_000
"""A row that was free for so long says nothing."""


def _pace(per_minute: int) -> tuple[int, int]:
    """Checks that may begin at once, and milliseconds between those after them."""
    at_once = max(1, per_minute // 2)
    return at_once, _MINUTE_MS // max(1, per_minute - at_once)


async def begin_at(host: str, per_minute: int) -> bool:
    """Whether one more check may begin at the host now; if so, it is counted. One statement, so that none is lost."""
    at_once, interval_ms = _pace(per_minute)
    now_ms = round(time.time() * 1_000)
    is_sqlite = StoreHost._meta.db.capabilities.dialect == "sqlite"
    host_, now = ("?1", "?2") if is_sqlite else ("$1", "$2::bigint")
    # A time further ahead than any that is written was written before the clock was set back.
    kept = f"store_hosts.free_at_ms BETWEEN {now} AND {now} + {2 * at_once * interval_ms}"
    rows = await StoreHost._meta.db.execute_query_dict(
        f"INSERT INTO store_hosts (host, free_at_ms) VALUES ({host_}, {now} + {interval_ms}) "  # noqa: S608 - integers
        f"ON CONFLICT (host) DO UPDATE SET free_at_ms = {interval_ms} + "
        f"CASE WHEN {kept} THEN store_hosts.free_at_ms ELSE {now} END "
        f"WHERE NOT ({kept}) OR store_hosts.free_at_ms <= {now} + {(at_once - 1) * interval_ms} RETURNING host",
        [host, now_ms],
    )
    return bool(rows)


async def forget_hosts() -> None:
    """Delete the rows of hosts at which no check has begun for an hour."""
    await StoreHost.filter(free_at_ms__lt=round(time.time() * 1_000) - _KEPT_MS).delete()
