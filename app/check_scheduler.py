"""The checks of this process: what they are made of, and the clock that asks for them when nobody does."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from app.settings import Settings
from models.accounts.viewer import Protocol, on_behalf_of
from models.background import side_by_side
from models.checks import leases as claims
from models.checks.checks import Checks
from models.checks.report import CheckDepth, CheckReport, Prober, ProbeTarget
from models.error_report import report as report_mistake
from models.errors import DatabaseUnavailable, DestinationNotFound
from models.events.event_stream import EventStreams
from models.vault.vault import Vault
from web.rate_limit.limiter import Limiter

logger = logging.getLogger("moorings.checking")

BY_THE_CLOCK = 4
"""Checks that the clock has under way at once: half of what one process does, the other half is for people."""
LOOK_S = 10.0
"""How often one looks for claims that nobody holds any more, and for destinations that are due."""


class OnDemand:
    """A prober that is made when it is first needed: its library and its certificates cost a worker 6 MB."""

    def __init__(self, settings: Settings) -> None:
        self._policy = settings.address_policy
        self._prober: Prober | None = None

    async def probe(self, target: ProbeTarget, depth: CheckDepth) -> CheckReport:
        """See `Prober`."""
        if self._prober is None:
            from s3.prober import S3Prober

            self._prober = S3Prober(self._policy)
        return await self._prober.probe(target, depth)


def make_checks(
    settings: Settings,
    vault: Vault,
    streams: EventStreams,
    *,
    limiter: Limiter | None = None,
    outcomes: Counter[str] | None = None,
) -> Checks:
    """What checks for viewers, who are counted by the limiter, and for the clock and the operator, who are not."""

    async def count(user_id: int) -> None:
        if limiter is not None:
            await limiter.hit("check", str(user_id))

    return Checks(vault, OnDemand(settings), streams, count=count, outcomes=outcomes)


async def check_by_the_clock(checks: Checks, every: timedelta | None) -> None:
    """Settle claims whose holder died, and check what is due, without end; `every` of None checks nothing.

    Any number of processes may do this: a destination goes to the one that claims it.
    """
    pause_s = LOOK_S if every is None else min(LOOK_S, max(0.2, every.total_seconds() / 20))
    while True:
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the processes, hides nothing
        with suppress(DatabaseUnavailable), _going_on():
            await claims.settle()
            if every is not None:
                await _check_what_is_due(checks, every)


async def _check_what_is_due(checks: Checks, every: timedelta) -> None:
    stale_since = claims.stale_moment(every)
    waiting = list(reversed(await claims.due(every, limit=50)))

    async def take_turns() -> None:
        while waiting:
            id_, user_id = waiting.pop()
            # Whatever is wrong with one, it is in front again the next time: the others must not wait for it.
            with _going_on(), suppress(DestinationNotFound):
                viewer = on_behalf_of(user_id, Protocol.SCHEDULER)
                await checks.recheck(id_, viewer, stale_since=stale_since)

    await side_by_side(take_turns, BY_THE_CLOCK)


@contextmanager
def _going_on() -> Iterator[None]:
    """Go on after a mistake, which is logged; a database that is away is none."""
    try:
        yield
    except DatabaseUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        report_mistake(error, logger)
