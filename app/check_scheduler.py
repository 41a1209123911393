"""Checks by the clock: each process looks for destinations whose check is due, and for leases that expired."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from models.accounts.viewer import Protocol, on_behalf_of
from models.background import run_concurrently
from models.checks import leases
from models.checks.check_turn import fill_missing
from models.checks.checks import Checks, CountStore
from models.checks.hosts import begin_at, forget_hosts
from models.checks.report import Admit, CheckDepth, CheckReport, Prober, ProbeTarget
from models.destinations.endpoint_url import parse_endpoint_url
from models.error_report import report_unexpected
from models.errors import CheckPostponed, DatabaseUnavailable, DestinationNotFound, KeysUnavailable
from s3.address_policy import Address, AddressPolicy, read_address
from s3.providers import provider_of
from web.rate_limit.limiter import Limiter

if TYPE_CHECKING:
    from s3.dialer import Dialer

logger = logging.getLogger("moorings.checking")

SCHEDULED_AT_ONCE = 4
"""Scheduled checks that run at once: half of a process's slots, the other half is for users."""
BATCH = 40
"""Due destinations that a process works through before it looks again."""
SHORTEST_BOUNDED = timedelta(minutes=1)
"""Interval from which on checks of one host are bounded: a shorter one asks for more of them itself."""
MAX_HOST = 255
LOOK_S = 10.0
"""How often a process looks for expired leases and for destinations that are due."""
FILL_PAUSE_S = 0.05
"""Between two steps of looking for destinations without a turn."""


class LazyProber:
    """A prober that is built when it is first used: its library and its certificates take 6 MB of each worker."""

    def __init__(self, policy: AddressPolicy, ca_file: str | None) -> None:
        """`ca_file` is the PEM file of authorities that are trusted beside the system's."""
        self._policy = policy
        self._ca_file = ca_file
        self._prober: Prober | None = None

    async def probe(self, target: ProbeTarget, depth: CheckDepth, admit: Admit | None = None) -> CheckReport:
        """See `Prober`."""
        if self._prober is None:
            from s3.prober import system_prober

            self._prober = system_prober(self._policy, self._ca_file)
        return await self._prober.probe(target, depth, admit)


class LazyDialer:
    """The same for grants, which want to know the addresses of a host as a check finds them, and connect to none."""

    def __init__(self, policy: AddressPolicy, ca_file: str | None) -> None:
        self._policy = policy
        self._ca_file = ca_file
        self._dialer: Dialer | None = None

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """See `Dialer`."""
        if self._dialer is None:
            from s3.prober import system_dialer

            self._dialer = system_dialer(self._policy, self._ca_file)
        return await self._dialer.addresses(host, port)


def count_in(limiter: Limiter) -> Callable[[int], Awaitable[object]]:
    """A function that counts a check of the user with this id, and raises `TooManyAttempts` over the limit."""
    return lambda user_id: limiter.hit("check", str(user_id))


@dataclass(frozen=True, kw_only=True, slots=True)
class StorePlace:
    """What checks of a store are counted by: its host, whatever the port, and the addresses that it resolves to.

    A public provider has millions of buckets behind few addresses, at names that only it can make: there each bucket is
    a host of its own, and the addresses do not count. Elsewhere a user may have any number of names for one machine.
    """

    host: str
    is_public: bool

    def keys_of(self, addresses: Sequence[str]) -> list[str]:
        """What the addresses are counted by; a machine has all of an IPv6 network of 64 bits (RFC 4291, 2.5.4)."""
        if self.is_public:
            return []
        return sorted({_address_key(address) for address in addresses} - {self.host})


def store_place(endpoint: str | None, region: str | None, bucket_name: str) -> StorePlace:
    """The place of a destination's store."""
    if endpoint is None:
        return StorePlace(host=f"{bucket_name}.{region}"[:MAX_HOST], is_public=True)
    try:
        host = parse_endpoint_url(endpoint).host.removesuffix(".")
    except ValueError:
        return StorePlace(host=endpoint[:MAX_HOST], is_public=False)
    if provider_of(host) is not None:
        return StorePlace(host=f"{bucket_name}.{host}"[:MAX_HOST], is_public=True)
    address = read_address(host)
    return StorePlace(host=host if address is None else _address_key(str(address)), is_public=False)


def _address_key(address: str) -> str:
    parsed = ip_address(address)
    return str(IPv6Address(int(parsed) >> 64 << 64)) + "/64" if isinstance(parsed, IPv6Address) else str(parsed)


def count_store_in(limiter: Limiter) -> CountStore:
    """A function that counts a check of a store by its host, and returns one that counts its addresses."""

    async def count(endpoint: str | None, region: str | None, bucket_name: str) -> Admit:
        place = store_place(endpoint, region, bucket_name)
        await limiter.hit("check store", place.host)

        async def admit(addresses: Sequence[str]) -> None:
            for key in place.keys_of(addresses):
                await limiter.hit("check store", key)

        return admit

    return count


async def run_scheduled_checks(checks: Checks, every: timedelta | None, *, per_host: int | None = None) -> None:
    """Release expired leases and check what is due, until cancelled; `every` of None checks nothing.

    Any number of processes may run this: the one that acquires the lease checks a destination. `per_host` is how many
    checks may begin at one host in a minute, all processes together.
    """
    pause_s = LOOK_S if every is None else min(LOOK_S, max(0.2, every.total_seconds() / 20))
    filling = asyncio.create_task(_fill_missing(pause_s), name="missing turns")
    try:
        while True:
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the processes, hides nothing
            with suppress(DatabaseUnavailable), _logged_mistakes():
                await _look(checks, every, per_host)
    finally:
        filling.cancel()


async def _fill_missing(pause_s: float) -> None:
    """Once in each process: a destination that came in while triggers were off would never be checked.

    In small steps, each tried again until it is done.
    """
    last: int | None = 0
    added, wait_s = 0, pause_s
    while last is not None:
        await asyncio.sleep(wait_s)
        wait_s = pause_s
        with suppress(DatabaseUnavailable), _logged_mistakes():
            step = await fill_missing(last)
            added, last, wait_s = added + step.added, step.last, FILL_PAUSE_S
    if added:
        logger.warning("%d turns of checks were missing: destinations came in while triggers were off.", added)


async def _look(checks: Checks, every: timedelta | None, per_host: int | None) -> None:
    """Release expired leases and check all that is due and may be checked now.

    In small batches: a destination that is due meanwhile does not wait for all that were due before it. Where none of a
    batch could be checked, at hosts that have had enough, the next one is larger.
    """
    limit = BATCH
    while True:
        await leases.release_expired()
        if every is None:
            return
        due, checked = await _check_batch(checks, every, per_host, limit)
        if due < limit or limit > leases.MAX_WAITING:
            return
        limit = BATCH if checked else limit * 8


async def _check_batch(checks: Checks, every: timedelta, per_host: int | None, limit: int) -> tuple[int, int]:
    """Check at most `limit` of what is due; returns how many were due, and how many were checked."""
    stale_since = leases.stale_before(every)
    limit_of_host = None if every < SHORTEST_BOUNDED else per_host
    found = await leases.due(every, limit=limit)
    waiting = list(reversed(found))
    busy: set[str] = set()
    checked = 0

    async def check_in_turn() -> None:
        nonlocal checked
        while waiting:
            destination = waiting.pop()
            place = store_place(destination.endpoint, destination.region, destination.bucket_name)

            async def may_begin(place: StorePlace = place) -> bool:
                if limit_of_host is None or await begin_at(place.host, limit_of_host):
                    return True
                busy.add(place.host)
                return False

            async def admit(addresses: Sequence[str], place: StorePlace = place) -> None:
                for key in place.keys_of(addresses):
                    if limit_of_host is not None and not await begin_at(key, limit_of_host):
                        raise CheckPostponed

            # A destination whose check raises is the first one due the next time: the others must not wait for it.
            with _logged_mistakes(), suppress(DestinationNotFound, KeysUnavailable):
                viewer = on_behalf_of(destination.user_id, Protocol.SCHEDULER)
                if place.host not in busy:
                    report = await checks.recheck(
                        destination.id, viewer, stale_since=stale_since, every=every, may_begin=may_begin, admit=admit
                    )
                    checked += report is not None

    await run_concurrently(check_in_turn, SCHEDULED_AT_ONCE)
    if found and per_host is not None:
        await forget_hosts()
    return len(found), checked


@contextmanager
def _logged_mistakes() -> Iterator[None]:
    """Log an unexpected exception and go on; `DatabaseUnavailable` is expected, and is raised."""
    try:
        yield
    except DatabaseUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        report_unexpected(error, logger)
