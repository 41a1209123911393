"""The root type of subscriptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import strawberry
from strawberry import UNSET
from strawberry.types import Info

from models.accounts.abilities import Ability
from schema.context import Context
from schema.types.arguments import AfterEvent
from schema.types.events import BackupDestinationEvent, present_event
from schema.types.ids import NodeType, parse_id_of


@strawberry.type(description="Subscriptions. All report on the viewer's own destinations.")
class Subscription:
    @strawberry.subscription(
        description="Events of the viewer's destinations, in order; `after` resumes after an event already seen."
    )
    async def backup_destination_events(
        self, info: Info[Context, None], after: AfterEvent = UNSET
    ) -> AsyncGenerator[BackupDestinationEvent, None]:
        """Needs `view-backup-destinations`; ends with an error when the token stops being valid."""
        info.context.viewer.require(Ability.VIEW)
        position = parse_id_of(NodeType.EVENT, after) if isinstance(after, str) else None
        async for event in info.context.streams.events(info.context.viewer, after=position):
            yield present_event(event)
