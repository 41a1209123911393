"""Checks by the clock: each process looks for destinations whose check is due, and for leases that expired."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from models.accounts.viewer import Protocol, on_behalf_of
from models.background import run_concurrently
from models.checks import leases
from models.checks.checks import Checks
from models.checks.report import CheckDepth, CheckReport, Prober, ProbeTarget
from models.error_report import report_unexpected
from models.errors import DatabaseUnavailable, DestinationNotFound, KeysUnavailable
from s3.address_policy import AddressPolicy
from web.rate_limit.limiter import Limiter

logger = logging.getLogger("moorings.checking")

SCHEDULED_AT_ONCE = 4
"""Scheduled checks that run at once: half of a process's slots, the other half is for users."""
BATCH = 200
"""Due destinations that a process works through before it looks again."""
LOOK_S = 10.0
"""How often a process looks for expired leases and for destinations that are due."""


class LazyProber:
    """A prober that is built when it is first used: its library and its certificates take 6 MB of each worker."""

    def __init__(self, policy: AddressPolicy, ca_file: str | None) -> None:
        """`ca_file` is the PEM file of authorities that are trusted beside the system's."""
        self._policy = policy
        self._ca_file = ca_file
        self._prober: Prober | None = None

    async def probe(self, target: ProbeTarget, depth: CheckDepth) -> CheckReport:
        """See `Prober`."""
        if self._prober is None:
            from s3.prober import system_prober

            self._prober = system_prober(self._policy, self._ca_file)
        return await self._prober.probe(target, depth)


def count_in(limiter: Limiter) -> Callable[[int], Awaitable[object]]:
    """A function that counts a check of the user with this id, and raises `TooManyAttempts` over the limit."""
    return lambda user_id: limiter.hit("check", str(user_id))


async def run_scheduled_checks(checks: Checks, every: timedelta | None) -> None:
    """Release expired leases and check what is due, until cancelled; `every` of None checks nothing.

    Any number of processes may run this: the one that acquires the lease checks a destination.
    """
    pause_s = LOOK_S if every is None else min(LOOK_S, max(0.2, every.total_seconds() / 20))
    while True:
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the processes, hides nothing
        with suppress(DatabaseUnavailable), _logged_mistakes():
            await leases.release_expired()
            if every is not None:
                await _check_what_is_due(checks, every)


async def _check_what_is_due(checks: Checks, every: timedelta) -> None:
    stale_since = leases.stale_before(every)
    waiting = list(reversed(fairly(await leases.due(every, limit=BATCH))))

    async def check_in_turn() -> None:
        while waiting:
            id_, user_id = waiting.pop()
            # A destination whose check raises is the first one due the next time: the others must not wait for it.
            with _logged_mistakes(), suppress(DestinationNotFound, KeysUnavailable):
                viewer = on_behalf_of(user_id, Protocol.SCHEDULER)
                await checks.recheck(id_, viewer, stale_since=stale_since, every=every)

    await run_concurrently(check_in_turn, SCHEDULED_AT_ONCE)


def fairly(due: Iterable[leases.Due]) -> list[leases.Due]:
    """The destinations in turns of one for each user, those of a user in their order.

    Otherwise a user with many destinations that are due would keep those of all others waiting.
    """
    turns: Counter[int] = Counter()
    ordered: list[tuple[int, leases.Due]] = []
    for destination in due:
        ordered.append((turns[destination.user_id], destination))
        turns[destination.user_id] += 1
    return [destination for _, destination in sorted(ordered, key=lambda pair: pair[0])]


@contextmanager
def _logged_mistakes() -> Iterator[None]:
    """Log an unexpected exception and go on; `DatabaseUnavailable` is expected, and is raised."""
    try:
        yield
    except DatabaseUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        report_unexpected(error, logger)
