"""`CheckJobs`: checks all destinations that a filter lets through, a few at a time, and says how far it is.

A job runs in the process in which it was started, and ends with it: what was checked until then is stored, and the job
says that it was interrupted. A client starts another one, for what was not checked since the start of the first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from tortoise.exceptions import IntegrityError
from tortoise.expressions import F

from models.accounts.abilities import Ability
from models.accounts.user import require_user
from models.accounts.viewer import Viewer
from models.background import in_background, run_concurrently
from models.checks.check_job import ALIVE, CheckJob, CheckJobState, end_dead_jobs
from models.checks.report import Admit, CheckDepth, CheckReport
from models.clock import current_second
from models.destinations.attributes import KINDS
from models.destinations.row import DestinationRow
from models.error_report import report_unexpected
from models.errors import (
    CheckJobRunning,
    CheckPostponed,
    DatabaseUnavailable,
    DestinationNotFound,
    KeysUnavailable,
    TooManyAttempts,
    Unauthenticated,
)
from models.pagination import Bounds
from models.reads.listing import BY_ID, DestinationFilter, DestinationPosition, count_of, slice_of

Result = TypeVar("Result")
logger = logging.getLogger("moorings.checking")

AT_ONCE_OF_A_JOB = 2
AT_ONCE = 3
"""Checks of all jobs that run at once in one process, fewer than its slots: the others are for single checks."""
PAGE = 50
"""Destinations that are read at once."""
HOST_WAIT_S = 1.0
"""Until the next try at hosts that have had enough checks for now."""
PATIENCE_S = 30.0
"""How long a job waits for a database that is away."""
SIGN_S = 10.0
"""Between two signs that the process is alive."""
POLL_S = 0.5
"""How often progress is looked for that another process made."""

CountStore = Callable[[str | None, str | None, str], Awaitable[Admit]]
"""Counts a check of the store with this endpoint, region and bucket; see `Checks`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class JobBatch:
    """A job as a stream shows it; `shared` is what was made of it, as of an `EventBatch`."""

    job: CheckJob
    shared: dict[Hashable, Any] = field(default_factory=dict)


class Recheck(Protocol):
    """`Checks.recheck`."""

    async def __call__(
        self,
        destination_id: int,
        viewer: Viewer,
        *,
        depth: CheckDepth,
        may_begin: Callable[[], Awaitable[bool]],
        admit: Admit,
        tells: bool,
    ) -> CheckReport | None:
        """See there."""


class CheckJobs:
    """The jobs of one process."""

    def __init__(
        self,
        recheck: Recheck,
        *,
        count: Callable[[int], Awaitable[object]],
        is_valid: Callable[[Viewer], Awaitable[bool]],
        count_store: CountStore,
    ) -> None:
        """`count` counts a job as one check that a user asks for; `is_valid` says whether a viewer's token still is.

        `count_store` counts checks of a store, those of users and jobs together; both raise `TooManyAttempts`.
        """
        self._recheck = recheck
        self._count = count
        self._is_valid = is_valid
        self._count_store = count_store
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._running: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    async def start(self, viewer: Viewer, chosen: DestinationFilter, depth: CheckDepth) -> CheckJob:
        """Start to check the viewer's destinations that match, without those that have nothing to check.

        Raises `AbilityMissing`, `TooManyAttempts`, `CheckJobRunning` while another job of the user runs, and
        `Unauthenticated` for a user who was deleted meanwhile.
        """
        viewer.require(Ability.UPDATE)
        await self._count(viewer.user_id)
        checkable = frozenset(kind for kind, rules in KINDS.items() if rules.is_checkable)
        chosen = replace(chosen, kinds=checkable if chosen.kinds is None else chosen.kinds & checkable)
        await end_dead_jobs(viewer.user_id, but=self._running)
        now = current_second()
        try:
            job = await CheckJob.create(
                user_id=viewer.user_id,
                state=CheckJobState.RUNNING,
                total=await count_of(viewer.user_id, chosen),
                started_at=now,
                alive_until=now + ALIVE,
            )
        except IntegrityError:
            await require_user(viewer.user_id)
            running = await CheckJob.filter(user_id=viewer.user_id, state=CheckJobState.RUNNING).first()
            raise CheckJobRunning(None if running is None else running.id) from None
        task = asyncio.create_task(self._run(job, viewer, chosen, depth), name="check job")
        self._running[job.id] = task
        task.add_done_callback(lambda _: self._running.pop(job.id, None))
        return job

    async def find(self, viewer: Viewer, job_id: int) -> CheckJob | None:
        """A job of the viewer's as it is now, or None."""
        viewer.require(Ability.VIEW)
        job = await CheckJob.filter(id=job_id, user_id=viewer.user_id).first()
        return job if job is None or job.id in self._running else job.seen_at(current_second())

    async def progress(self, viewer: Viewer, job_id: int) -> AsyncIterator[CheckJob]:
        """A job as it is now, and then whenever it has changed, until it has ended; nothing if there is none.

        Raises `AbilityMissing`, and `Unauthenticated` when the token stops being valid.
        """
        shown: object = None
        while True:
            changed = self._changed
            if not await self._is_valid(viewer):
                raise Unauthenticated
            job = await self.find(viewer, job_id)
            if job is None:
                return
            if job.counts != shown:
                shown = job.counts
                yield job
            if job.has_ended:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), POLL_S)

    async def aclose(self) -> None:
        """Interrupt the jobs that run."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: CheckJob, viewer: Viewer, chosen: DestinationFilter, depth: CheckDepth) -> None:
        state = CheckJobState.INTERRUPTED
        try:
            async with in_background(self._give_signs(job.id), name="signs of a check job"):
                after: DestinationPosition | None = None
                while await self._is_valid(viewer):
                    bounds = Bounds(size=PAGE, after=after)
                    rows = (await _patiently(partial(slice_of, job.user_id, bounds, chosen, BY_ID))).rows
                    if not rows:
                        state = CheckJobState.COMPLETED
                        break
                    await self._check_all(job.id, viewer, rows, depth)
                    after = DestinationPosition(value=None, id=rows[-1].id)
        except (DatabaseUnavailable, Unauthenticated) as error:
            logger.warning("A job of checks is interrupted: %s", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - nothing else reports it
            report_unexpected(error, logger)
        finally:
            with suppress(DatabaseUnavailable):
                await asyncio.shield(self._end(job.id, state))

    async def _check_all(self, job_id: int, viewer: Viewer, rows: Sequence[DestinationRow], depth: CheckDepth) -> None:
        """Check these destinations, those at busy hosts later than the others."""
        waiting = list(reversed(rows))
        later: list[DestinationRow] = []

        async def check_in_turn() -> None:
            while waiting:
                row = waiting.pop()
                async with self._slots:
                    if not await _patiently(partial(self._check, job_id, viewer, row, depth)):
                        later.append(row)

        while waiting:
            await run_concurrently(check_in_turn, AT_ONCE_OF_A_JOB)
            if later:
                await asyncio.sleep(HOST_WAIT_S)
                if not await self._is_valid(viewer):
                    raise Unauthenticated
                waiting, later = later[::-1], []

    async def _check(self, job_id: int, viewer: Viewer, row: DestinationRow, depth: CheckDepth) -> bool:
        """Check one destination and count it; False if its host has had enough checks for now."""
        is_busy = False
        of_host: Admit | None = None

        async def may_begin() -> bool:
            nonlocal is_busy, of_host
            try:
                of_host = await self._count_store(row.endpoint, row.region, row.bucket_name or "")
            except TooManyAttempts:
                is_busy = True
            return not is_busy

        async def admit(addresses: Sequence[str]) -> None:
            nonlocal is_busy
            try:
                if of_host is not None:
                    await of_host(addresses)
            except TooManyAttempts:
                is_busy = True
                raise CheckPostponed from None

        report = None
        with suppress(DestinationNotFound, KeysUnavailable):
            report = await self._recheck(row.id, viewer, depth=depth, may_begin=may_begin, admit=admit, tells=True)
        if is_busy:
            return False
        column = "left_out" if report is None else "reachable" if report.reachable else "unreachable"
        await _patiently(partial(self._change, job_id, **{column: F(column) + 1}))
        return True

    async def _give_signs(self, job_id: int) -> None:
        """Every `SIGN_S`, and at once when the clock was set: the sign before is of another time then."""
        due, clock = time.monotonic() + SIGN_S, time.time() - time.monotonic()
        while True:
            await asyncio.sleep(POLL_S)
            now = time.time() - time.monotonic()
            if time.monotonic() < due and abs(now - clock) < SIGN_S:
                continue
            due, clock = time.monotonic() + SIGN_S, now
            with suppress(DatabaseUnavailable):
                await self._change(job_id, alive_until=current_second() + ALIVE)

    async def _end(self, job_id: int, state: CheckJobState) -> None:
        await self._change(job_id, state=state, ended_at=current_second())

    async def _change(self, job_id: int, **changes: object) -> None:
        await CheckJob.filter(id=job_id, state=CheckJobState.RUNNING).update(**changes)
        self._changed.set()
        self._changed = asyncio.Event()


async def _patiently(call: Callable[[], Awaitable[Result]]) -> Result:
    """What a call returns; it is repeated for a while if the database is away or has no time."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await call()
        except DatabaseUnavailable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(HOST_WAIT_S)
