"""`Checks`: runs checks for users, the operator and the scheduler, at most one at a time per destination.

A lease (see `leases`) keeps other processes away. A check that has begun is completed and stored even if the caller
is cancelled.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.accounts.abilities import Ability
from models.accounts.viewer import Viewer
from models.audit.entry import AuditKind
from models.audit.recording import record
from models.checks import leases
from models.checks.opened_target import target_of
from models.checks.past_checks import DEFAULT_KEPT
from models.checks.report import (
    Admit,
    CheckCode,
    CheckDepth,
    CheckOutcome,
    CheckReport,
    CheckStep,
    CheckStepName,
    Prober,
    ProbeTarget,
    all_steps,
)
from models.clock import current_second, is_ahead
from models.database.postgresql import in_share
from models.destinations.attributes import KINDS, Attribute, DestinationKind
from models.destinations.ownership import MAX_ID, own
from models.destinations.row import DestinationRow, from_model
from models.destinations.table import BackupDestination
from models.destinations.validation import Attributes, Raw, parse
from models.errors import (
    CheckPostponed,
    DestinationNotCheckable,
    DestinationNotFound,
    Quota,
    SecretUnreadable,
    TooManyAttempts,
)
from models.events.check_began import CheckBegan, tell_other_processes
from models.events.event_stream import EventStreams
from models.tracing.spans import Tracer, Value, current_span, ending, measured
from models.vault.vault import Vault

MAX_RUNNING = 8
"""Checks that run at once in one process."""
SLOT_WAIT_S = 3.0
"""How long a user's check waits for one of the running ones to end."""
POLL_S = 0.25
"""How often a check that waits for another process looks at the row."""
WRITES_AGAIN_AFTER = timedelta(days=1)
"""Where every full check leaves one more version of its object for good, those that are asked for write so seldom."""
LEASE_WAIT_S = leases.LEASE_TIME.total_seconds()
"""How long it waits: by then the lease has expired."""


CountStore = Callable[[str | None, str | None, str], Awaitable[Admit]]
"""Counts a check of the store with this endpoint, region and bucket; returns what counts its addresses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Running:
    """A user's check that runs in this process."""

    task: asyncio.Task[CheckReport]
    depth: CheckDepth


class Checks:
    """The checks of one process."""

    def __init__(
        self,
        vault: Vault,
        prober: Prober,
        streams: EventStreams,
        *,
        count: Callable[[int], Awaitable[object]],
        outcomes: Counter[str],
        kept: int = DEFAULT_KEPT,
        count_store: CountStore | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """`count` is called with the id of each user who asks, and raises `TooManyAttempts` over the limit.

        `count_store` is called for each store that a user asks for, and raises the same; so does what it returns.

        `outcomes` is increased at `reachable` or `unreachable` for every report. `kept` is how many checks of each
        destination stay to be read. `tracer` begins the spans of checks that no request asks for.
        """
        self._vault = vault
        self._prober = prober
        self._streams = streams
        self._count = count
        self._outcomes = outcomes
        self._kept = kept
        self._count_store = count_store
        self._tracer = tracer
        self._slots = asyncio.Semaphore(MAX_RUNNING)
        self._running: dict[int, _Running] = {}

    async def check(self, viewer: Viewer, destination_id: int, depth: CheckDepth) -> tuple[DestinationRow, CheckReport]:
        """Check one of the viewer's destinations, or wait for the check that runs; the row is the one after it.

        Raises `AbilityMissing`, `DestinationNotFound`, `DestinationForbidden`, `DestinationNotCheckable`,
        `TooManyAttempts`.
        """
        viewer.require(Ability.UPDATE)
        row = own(viewer, await _find(destination_id))
        _require_checkable(row.kind)
        admit = await self._count_asked(viewer, row.endpoint, row.region, row.bucket_name)
        report = await self._shared(row.id, depth, viewer, admit)
        row = own(viewer, await _find(row.id))
        _require_checkable(row.kind)
        return from_model(row), report

    async def test(self, viewer: Viewer, raw: Raw, depth: CheckDepth) -> CheckReport:
        """Check values that are not stored; raises what `check` raises, and `ValidationFailed`."""
        viewer.require(Ability.UPDATE)
        attributes = parse(raw, strict=True)
        _require_checkable(attributes.kind)
        endpoint, region, bucket_name = (
            attributes.text(name) for name in (Attribute.ENDPOINT, Attribute.REGION, Attribute.BUCKET_NAME)
        )
        admit = await self._count_asked(viewer, endpoint, region, bucket_name)
        access_key, secret_key = attributes.secret(Attribute.ACCESS_KEY), attributes.secret(Attribute.SECRET_KEY)
        if access_key is None or secret_key is None:
            raise DestinationNotCheckable
        target = ProbeTarget(
            endpoint=endpoint,
            region=region,
            bucket_name=bucket_name or "",
            path_style=bool(attributes[Attribute.PATH_STYLE_ENDPOINT]),
            access_key=access_key,
            secret_key=secret_key,
            object_name=_object_name(viewer.user_id, attributes),
            check_prefix=attributes.text(Attribute.CHECK_PREFIX),
            certificate_authorities=attributes.text(Attribute.CERTIFICATE_AUTHORITIES),
        )
        async with self._slot(SLOT_WAIT_S):
            return self._counted(await self._probe(target, depth, admit))

    async def recheck(
        self,
        destination_id: int,
        viewer: Viewer,
        *,
        stale_since: datetime | None = None,
        every: timedelta | None = None,
        may_begin: Callable[[], Awaitable[bool]] | None = None,
        admit: Admit | None = None,
        depth: CheckDepth = CheckDepth.FULL,
        tells: bool = False,
    ) -> CheckReport | None:
        """Check for the operator, the scheduler or a job, with a viewer that stands for the owner.

        None when a check of it runs already, or it does not exist; with `stale_since`, also when it was checked later.
        With `every`, the interval of the scheduler, a first failure is stored only when a second check confirms it, and
        nothing is written where the last full check left something. `may_begin` is asked last, once the destination is
        leased; the check is left out if it says no, and made some minutes later if `admit` raises `CheckPostponed`.
        """
        if destination_id in self._running:
            return None
        async with self._slot(None):
            async with in_share(BackupDestination, viewer.user_id):
                lease = await leases.acquire(destination_id, stale_since=stale_since, is_shown=every is None)
            if lease is None:
                return None
            try:
                begins = may_begin is None or await may_begin()
            except BaseException:
                await asyncio.shield(leases.release(lease))
                raise
            if not begins:
                await leases.release(lease)
                return None
            try:
                with self._scheduled():
                    return await self._run(lease, depth, viewer, admit, every=every, tells=tells)
            except CheckPostponed:
                return None

    async def aclose(self) -> None:
        """Cancel the users' checks that run; their leases are released."""
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _shared(self, destination_id: int, depth: CheckDepth, viewer: Viewer, admit: Admit | None) -> CheckReport:
        """The report of the check that runs in this process if it is as deep, or else of a new one after it."""
        while (running := self._running.get(destination_id)) is not None:
            report = await asyncio.shield(running.task)
            if depth.last_step in running.depth.steps:
                return report
        task = asyncio.create_task(self._leased(destination_id, depth, viewer, admit), name="check")
        self._running[destination_id] = _Running(task=task, depth=depth)
        task.add_done_callback(lambda done: self._ended(destination_id, done))
        return await asyncio.shield(task)

    def _ended(self, destination_id: int, task: asyncio.Task[CheckReport]) -> None:
        del self._running[destination_id]
        if not task.cancelled():
            task.exception()  # every caller may be cancelled, and asyncio warns of unretrieved exceptions

    async def _leased(self, destination_id: int, depth: CheckDepth, viewer: Viewer, admit: Admit | None) -> CheckReport:
        """Check once no other process does; a report another process stores meanwhile is returned if it is as deep.

        A slot is held for the check only, not while waiting for the other process.
        """
        since, deadline = current_second(), time.monotonic() + LEASE_WAIT_S
        while time.monotonic() < deadline:
            async with self._slot(SLOT_WAIT_S):
                async with in_share(BackupDestination, viewer.user_id):
                    lease = await leases.acquire(destination_id)
                if lease is not None:
                    return await self._run(lease, depth, viewer, admit, tells=True)
            await asyncio.sleep(POLL_S)
            row = await _find(destination_id)
            if row is None:
                raise DestinationNotFound
            _require_checkable(row.kind)
            report = _stored_since(row, since, depth)
            if report is not None:
                return report
        raise _no_slot()

    async def _run(
        self,
        lease: leases.Lease,
        depth: CheckDepth,
        viewer: Viewer,
        admit: Admit | None,
        *,
        every: timedelta | None = None,
        tells: bool = False,
    ) -> CheckReport:
        """Check what is leased; with `tells`, the user's streams are told that it begins."""
        try:
            row = await _find(lease.destination_id)
            if row is None:
                raise DestinationNotFound
            if tells:
                began = CheckBegan.now(viewer, row.id)
                self._streams.check_began(began)
                await tell_other_processes(began)
            try:
                last = leases.stored_report(row)
                await record(viewer.origin, AuditKind.SECRETS_OPENED, f"destination {row.id}", depth=depth.value)
                if last is not None and _leaves_more(last, depth, is_by_clock=every is not None):
                    read_only = await self._probe(self._target(row), CheckDepth.READ_ONLY, admit, id_=row.id)
                    report = read_only.continuing(last)
                else:
                    report = await self._probe(self._target(row), depth, admit, id_=row.id)
            except SecretUnreadable:
                report = _unreadable()
            report = await leases.complete(lease, report, viewer, every=every, kept=self._kept)
        except CheckPostponed:
            await asyncio.shield(leases.release(lease, due_again=every))
            raise
        except BaseException:
            await asyncio.shield(leases.release(lease))
            raise
        self._streams.note_change(viewer.user_id)
        return self._counted(report)

    @contextmanager
    def _scheduled(self) -> Iterator[None]:
        """A trace of its own for a check that no request waits for."""
        span = None if self._tracer is None or current_span() else self._tracer.start("check", {}, kind="internal")
        with ending(span):
            yield

    async def _probe(
        self, target: ProbeTarget, depth: CheckDepth, admit: Admit | None, *, id_: int | None = None
    ) -> CheckReport:
        """Ask the store, in a span that has what came of it; of the destination it has the id, where it is stored."""
        attributes: dict[str, Value] = {"moorings.check.depth": depth.value.lower()}
        if id_ is not None:
            attributes["moorings.destination_id"] = id_
        with measured("check store", attributes, kind="client") as span:
            report = await self._prober.probe(target, depth, admit)
            if span is not None:
                span.set({"moorings.check.reachable": report.reachable})
                failed = next((step for step in report.steps if step.outcome is CheckOutcome.FAILED), None)
                if failed is not None:
                    span.set({"moorings.check.step": failed.name.value.lower()})
                    span.fail(failed.outcome.value if failed.code is None else failed.code.value)
            return report

    def _target(self, row: BackupDestination) -> ProbeTarget:
        """The row's values with its opened credentials; raises `SecretUnreadable`."""
        return target_of(row, self._vault)

    async def _count_asked(
        self, viewer: Viewer, endpoint: str | None, region: str | None, bucket_name: str | None
    ) -> Admit | None:
        """Count a check that a user asks for, and of its store; raises `TooManyAttempts`."""
        await self._count(viewer.user_id)
        return None if self._count_store is None else await self._count_store(endpoint, region, bucket_name or "")

    async def count_asked(self, user_id: int) -> None:
        """Count what a user asks for as one check; raises `TooManyAttempts`."""
        await self._count(user_id)

    @asynccontextmanager
    async def _slot(self, wait_s: float | None) -> AsyncIterator[None]:
        """One of the process's slots; raises `TooManyAttempts` when none is free within `wait_s` (None: no limit)."""
        try:
            async with asyncio.timeout(wait_s):
                await self._slots.acquire()
        except TimeoutError:
            raise _no_slot() from None
        try:
            yield
        finally:
            self._slots.release()

    def _counted(self, report: CheckReport) -> CheckReport:
        self._outcomes["reachable" if report.reachable else "unreachable"] += 1
        return report


def _leaves_more(last: CheckReport, depth: CheckDepth, *, is_by_clock: bool) -> bool:
    """Whether a full check would leave something again, and should be one that writes nothing.

    By the clock always. One that was asked for writes all the same, except that where every one leaves one more version
    one a day does.
    """
    if is_by_clock:
        return last.leaves_objects
    wrote_at = last.wrote_at or last.checked_at
    is_recent = wrote_at > current_second() - WRITES_AGAIN_AFTER and not is_ahead(wrote_at)
    return depth is CheckDepth.FULL and last.adds_versions and is_recent


def _no_slot() -> TooManyAttempts:
    """All slots of this process are taken, or another process holds the lease: worth a retry after a second."""
    return TooManyAttempts(Quota(limit=MAX_RUNNING, remaining=0), retry_after_s=1, resets_at=int(time.time()) + 1)


async def _find(destination_id: int) -> BackupDestination | None:
    return await BackupDestination.filter(id=destination_id).first() if 0 < destination_id <= MAX_ID else None


def _stored_since(row: BackupDestination, since: datetime, depth: CheckDepth) -> CheckReport | None:
    """The report another process has stored since then, if it is as deep."""
    stored: str | None = row.last_check
    if row.claim is not None or stored is None or row.checked_at is None:
        return None
    if row.checked_at < since or is_ahead(row.checked_at):
        return None
    report = CheckReport.from_json(stored)
    return report if report.covers(depth) else None


def _object_name(user_id: int, attributes: Attributes) -> str:
    """A name for values that are not stored: the same at every test of the same bucket by the same user."""
    place = [attributes.text(name) for name in (Attribute.ENDPOINT, Attribute.REGION, Attribute.BUCKET_NAME)]
    return hashlib.sha256(f"{user_id} {place}".encode()).hexdigest()[:32]


def _require_checkable(kind: DestinationKind) -> None:
    if not KINDS[kind].is_checkable:
        raise DestinationNotCheckable


def _unreadable() -> CheckReport:
    name = CheckStepName.AUTHENTICATE
    step = CheckStep(name=name, outcome=CheckOutcome.FAILED, code=CheckCode.SECRET_UNREADABLE)
    return CheckReport(checked_at=current_second(), steps=all_steps({name: step}))
