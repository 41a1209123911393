"""The root type of subscriptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import strawberry
from strawberry import UNSET
from strawberry.types import Info

from models.accounts.abilities import Ability
from models.events.event_stream import EventBatch
from schema.context import Context
from schema.types.arguments import AfterEvent
from schema.types.events import BackupDestinationEvent, present_began, present_event
from schema.types.ids import parse_event_position


@strawberry.type(description="Subscriptions. All report on the viewer's own destinations.")
class Subscription:
    @strawberry.subscription(
        graphql_type=BackupDestinationEvent,
        description="Events of the viewer's destinations, in order; `after` resumes after an event already seen.",
    )
    async def backup_destination_events(
        self, info: Info[Context, None], after: AfterEvent = UNSET
    ) -> AsyncGenerator[EventBatch, None]:
        """Needs `view-backup-destinations`; ends with an error when the token stops being valid.

        Yields batches, which `Engine.listen` takes apart: the streams of one user share what is made of a batch.
        """
        info.context.viewer.require(Ability.VIEW)
        given = info.context.last_event_id or after
        position = parse_event_position(given) if isinstance(given, str) else None
        async for batch in info.context.streams.batches(info.context.viewer, after=position):
            yield batch


def present_batch(batch: EventBatch) -> Sequence[BackupDestinationEvent]:
    """The GraphQL objects of the events of a batch, in their order."""
    begun = [present_began(began, batch.position) for began in batch.begun]
    return [*begun, *map(present_event, batch.events)]
