"""`Checks`: all that a viewer, the operator and the clock can do to find out whether destinations take backups.

A destination is checked by one at a time, here and in other processes. A check that was begun is finished and stored,
whether or not the one who asked still waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from models.accounts.abilities import Ability
from models.accounts.viewer import Viewer
from models.checks import leases as claims
from models.checks.report import (
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
from models.clock import current_second
from models.destinations.attributes import KINDS, Attribute, DestinationKind
from models.destinations.ownership import MAX_ID, own
from models.destinations.row import DestinationRow, from_model
from models.destinations.table import BackupDestination
from models.destinations.validation import Raw, parse
from models.errors import DestinationNotCheckable, DestinationNotFound, Quota, SecretUnreadable, TooManyAttempts
from models.events.event_stream import EventStreams
from models.vault.vault import Vault

AT_ONCE = 8
"""Checks under way in one process."""
PATIENCE_S = 3.0
"""How long somebody who asked waits for one of the others to end."""
LOOK_S = 0.25
"""How often one looks whether another process has finished."""
LONGEST_WAIT_S = claims.LEASE.total_seconds()
"""How long one looks: by then a claim is over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Running:
    """A check under way in this process."""

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
        count: Callable[[int], Awaitable[object]] | None = None,
        outcomes: Counter[str] | None = None,
    ) -> None:
        """`count` is told the id of a user who asks, and raises `TooManyAttempts` when they ask too often.

        `outcomes` counts what was found, `reachable` or `unreachable`.
        """
        self._vault = vault
        self._prober = prober
        self._streams = streams
        self._count = count
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._running: dict[int, _Running] = {}
        self._outcomes: Counter[str] = Counter() if outcomes is None else outcomes

    async def check(self, viewer: Viewer, destination_id: int, depth: CheckDepth) -> tuple[DestinationRow, CheckReport]:
        """Check one of the viewer's destinations, or wait for the check under way; the row is as it is afterwards.

        Raises `AbilityMissing`, `DestinationNotFound`, `DestinationForbidden`, `DestinationNotCheckable`,
        `TooManyAttempts`.
        """
        viewer.require(Ability.UPDATE)
        row = own(viewer, await _found(destination_id))
        _require_checkable(row.kind)
        await self._admit(viewer)
        report = await self._shared(row.id, depth, viewer)
        row = own(viewer, await _found(row.id))
        _require_checkable(row.kind)
        return from_model(row), report

    async def test(self, viewer: Viewer, raw: Raw, depth: CheckDepth) -> CheckReport:
        """Check values that are not stored; raises as `check` does, and `ValidationFailed`."""
        viewer.require(Ability.UPDATE)
        attributes = parse(raw, strict=True)
        _require_checkable(attributes.kind)
        await self._admit(viewer)
        if attributes.access_key is None or attributes.secret_key is None:
            raise DestinationNotCheckable
        target = ProbeTarget(
            endpoint=attributes.endpoint,
            region=attributes.region,
            bucket_name=attributes.bucket_name or "",
            path_style=bool(attributes.path_style_endpoint),
            access_key=attributes.access_key,
            secret_key=attributes.secret_key,
        )
        async with self._slot(PATIENCE_S):
            return self._counted(await self._prober.probe(target, depth))

    async def recheck(
        self, destination_id: int, viewer: Viewer, *, stale_since: datetime | None = None
    ) -> CheckReport | None:
        """Check on behalf of a viewer, at full depth; None when it is checked by somebody else, or is gone.

        With a moment, also when it was checked after that.
        """
        if destination_id in self._running:
            return None
        async with self._slot(None):
            claim = await claims.take(destination_id, stale_since=stale_since)
            return None if claim is None else await self._climb(claim, CheckDepth.FULL, viewer)

    async def aclose(self) -> None:
        """End what is under way; what was claimed is given up."""
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _admit(self, viewer: Viewer) -> None:
        if self._count is not None:
            await self._count(viewer.user_id)

    async def _shared(self, destination_id: int, depth: CheckDepth, viewer: Viewer) -> CheckReport:
        """The check under way when it goes as deep, or a new one behind it."""
        while (running := self._running.get(destination_id)) is not None:
            report = await asyncio.shield(running.task)
            if depth in (running.depth, CheckDepth.READ_ONLY):
                return report
        task = asyncio.create_task(self._claimed(destination_id, depth, viewer), name="check")
        self._running[destination_id] = _Running(task=task, depth=depth)
        task.add_done_callback(lambda done: self._ended(destination_id, done))
        return await asyncio.shield(task)

    def _ended(self, destination_id: int, task: asyncio.Task[CheckReport]) -> None:
        del self._running[destination_id]
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may have

    async def _claimed(self, destination_id: int, depth: CheckDepth, viewer: Viewer) -> CheckReport:
        """Check once no other process does; what another one finds meanwhile is the answer, if it looked as deep.

        A turn of this process is taken for the check alone, not for the wait.
        """
        since, give_up_at = current_second(), time.monotonic() + LONGEST_WAIT_S
        while time.monotonic() < give_up_at:
            async with self._slot(PATIENCE_S):
                claim = await claims.take(destination_id)
                if claim is not None:
                    return await self._climb(claim, depth, viewer)
            await asyncio.sleep(LOOK_S)
            row = await _found(destination_id)
            if row is None:
                raise DestinationNotFound
            _require_checkable(row.kind)
            told = _told(row, since, depth)
            if told is not None:
                return told
        raise _no_turn()

    async def _climb(self, claim: claims.Claim, depth: CheckDepth, viewer: Viewer) -> CheckReport:
        try:
            row = await _found(claim.destination_id)
            if row is None:
                raise DestinationNotFound
            try:
                report = await self._prober.probe(self._target(row), depth)
            except SecretUnreadable:
                report = _unreadable()
            await claims.give_back(claim, report, viewer)
        except BaseException:
            await asyncio.shield(claims.give_up(claim))
            raise
        self._streams.wake([viewer.user_id])
        return self._counted(report)

    def _target(self, row: BackupDestination) -> ProbeTarget:
        """Where to knock, and with what; raises `SecretUnreadable`."""
        access_key, secret_key = Attribute.ACCESS_KEY, Attribute.SECRET_KEY
        return ProbeTarget(
            endpoint=row.endpoint,
            region=row.region,
            bucket_name=row.bucket_name or "",
            path_style=bool(row.path_style_endpoint),
            access_key=self._vault.open(row.access_key or "", row.place(access_key)),
            secret_key=self._vault.open(row.secret_key or "", row.place(secret_key)),
        )

    @asynccontextmanager
    async def _slot(self, patience_s: float | None) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(patience_s):
                await self._slots.acquire()
        except TimeoutError:
            raise _no_turn() from None
        try:
            yield
        finally:
            self._slots.release()

    def _counted(self, report: CheckReport) -> CheckReport:
        self._outcomes["reachable" if report.reachable else "unreachable"] += 1
        return report


def _no_turn() -> TooManyAttempts:
    """Others have it, or all turns of this process: a second later there may be one."""
    return TooManyAttempts(Quota(limit=AT_ONCE, remaining=0), retry_after_s=1, resets_at=int(time.time()) + 1)


async def _found(destination_id: int) -> BackupDestination | None:
    return await BackupDestination.filter(id=destination_id).first() if 0 < destination_id <= MAX_ID else None


def _told(row: BackupDestination, since: datetime, depth: CheckDepth) -> CheckReport | None:
    """What another process has found since that moment, if it looked as deep."""
    stored: str | None = row.last_check
    if row.claim is not None or stored is None or row.checked_at is None or row.checked_at < since:
        return None
    report = CheckReport.from_json(stored)
    return report if depth is CheckDepth.READ_ONLY or report.is_full else None


def _require_checkable(kind: DestinationKind) -> None:
    if not KINDS[kind].is_checkable:
        raise DestinationNotCheckable


def _unreadable() -> CheckReport:
    name = CheckStepName.AUTHENTICATE
    step = CheckStep(name=name, outcome=CheckOutcome.FAILED, code=CheckCode.SECRET_UNREADABLE)
    return CheckReport(checked_at=current_second(), steps=all_steps({name: step}))
