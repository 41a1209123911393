"""The root type of subscriptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import strawberry
from strawberry import UNSET
from strawberry.types import Info

from models.accounts.abilities import Ability
from models.checks.jobs import JobBatch
from models.events.event_stream import EventBatch
from schema.context import Context
from schema.types.arguments import AfterEvent, IdArgument
from schema.types.checks import CheckJob, present_job
from schema.types.events import BackupDestinationEvent, present_began, present_event
from schema.types.ids import parse_event_position, parse_job_id


@strawberry.type(description="Subscriptions. All report on the viewer's own destinations.")
class Subscription:
    @strawberry.subscription(
        graphql_type=BackupDestinationEvent,
        description="Events of the viewer's destinations, in order; `after` resumes after an event already seen.",
    )
    def backup_destination_events(
        self, info: Info[Context, None], after: AfterEvent = UNSET
    ) -> AsyncIterator[EventBatch]:
        """Needs `view-backup-destinations`; ends with an error when the token stops being valid.

        Yields batches, which `Engine.listen` takes apart: the streams of one user share what is made of a batch.
        """
        info.context.viewer.require(Ability.VIEW)
        given = info.context.last_event_id or after
        position = parse_event_position(given) if isinstance(given, str) else None
        return info.context.streams.batches(info.context.viewer, after=position)

    @strawberry.subscription(
        graphql_type=CheckJob,
        description="A job of checks as it is now, and whenever it has gone on, until it has ended; nothing for an "
        "unknown one.",
    )
    async def check_job_progress(
        self,
        info: Info[Context, None],
        id: IdArgument,  # noqa: A002 - the public name
    ) -> AsyncGenerator[JobBatch, None]:
        """Needs `view-backup-destinations`; ends with an error when the token stops being valid."""
        info.context.viewer.require(Ability.VIEW)
        async for job in info.context.jobs.progress(info.context.viewer, parse_job_id(id)):
            yield JobBatch(job=job)


def present_batch(batch: EventBatch | JobBatch) -> Sequence[BackupDestinationEvent | CheckJob]:
    """The GraphQL objects of the events of a batch, in their order, or of a job."""
    if isinstance(batch, JobBatch):
        return [present_job(batch.job)]
    begun = [present_began(began, batch.position) for began in batch.begun]
    return [*begun, *map(present_event, batch.events)]
