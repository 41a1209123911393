"""The row of a job: a check of all destinations that a filter lets through, and how far it is."""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.expressions import Q
from tortoise.models import Model

from models.accounts.user import User
from models.clock import MAX_AHEAD, current_second

ALIVE = timedelta(seconds=45)
"""How long a job runs on without a sign of its process; after that it has ended with the process."""


class CheckJobState(StrEnum):
    """Whether a job goes on, and how it ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"


class CheckJob(Model):
    """A job. `total` is how many destinations there were at its start; those that are `left_out` were not checked.

    A process says until when it is alive at least, `alive_until`, as long as it runs the job; a time that no living
    process would say was written before the clock was set back. One job of a user runs at a time, which a unique index
    holds.
    """

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="check_jobs", on_delete=fields.CASCADE
    )
    user_id: int
    state = fields.CharEnumField(CheckJobState, max_length=16, description="Whether it goes on")
    total = fields.IntField()
    reachable = fields.IntField(default=0, db_default=0)
    unreachable = fields.IntField(default=0, db_default=0)
    left_out = fields.IntField(default=0, db_default=0)
    started_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    alive_until = fields.DatetimeField()

    class Meta:
        table = "check_jobs"
        table_description = "Checks of many destinations"
        indexes = (("user_id", "id"),)

    @property
    def has_ended(self) -> bool:
        """Whether nothing changes any more."""
        return self.state is not CheckJobState.RUNNING

    def seen_at(self, now: datetime) -> CheckJob:
        """The job as it is shown: one whose process is gone is interrupted, at the time of its last sign."""
        if self.state is CheckJobState.RUNNING and not now <= self.alive_until <= _latest(now):
            self.state = CheckJobState.INTERRUPTED
            self.ended_at = max(self.started_at, self.alive_until - ALIVE)
        return self

    @property
    def counts(self) -> tuple[Any, ...]:
        """What changes in the course of a job."""
        return self.state, self.reachable, self.unreachable, self.left_out


async def end_dead_jobs(user_id: int, *, but: Container[int]) -> None:
    """Store that the jobs of a user whose processes are gone are interrupted, but for those with these ids."""
    now = current_second()
    is_dead = Q(alive_until__lt=now) | Q(alive_until__gt=_latest(now))
    for job in await CheckJob.filter(is_dead, user_id=user_id, state=CheckJobState.RUNNING):
        if job.id in but:
            continue
        job.seen_at(now)
        await CheckJob.filter(is_dead, id=job.id, state=CheckJobState.RUNNING).update(
            state=job.state, ended_at=job.ended_at
        )


def _latest(now: datetime) -> datetime:
    """The latest time that a process may say it is alive until."""
    return now + ALIVE + MAX_AHEAD
