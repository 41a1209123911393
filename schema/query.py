"""What can be asked."""

from __future__ import annotations

import asyncio

import strawberry
from strawberry import UNSET
from strawberry.types import Info

from models.abilities import Ability
from models.listing import DestinationFilter, DestinationOrder
from models.pagination import MAX_SIZE
from schema.arguments import After, Before, Filter, First, IdArgument, IdsArgument, Last, OrderBy
from schema.connection import (
    BackupDestinationConnection,
    BackupDestinationEventConnection,
    destination_bounds,
    destination_connection,
    event_bounds,
    event_connection,
)
from schema.context import Context
from schema.errors import BadInput
from schema.events import present_event
from schema.ids import NodeType, parse_id, parse_id_of
from schema.types import BackupDestination, Node, User, present, present_viewer


@strawberry.type(description="What can be asked; always of the viewer's own.")
class Query:
    @strawberry.field(description="Whoever the token belongs to.")
    async def viewer(self, info: Info[Context, None]) -> User:
        """Needs no ability: it shows the viewer to the viewer."""
        return present_viewer(info.context.viewer)

    @strawberry.field(description="Any object of the viewer's, by its global ID.")
    async def node(self, info: Info[Context, None], id: IdArgument) -> Node | None:  # noqa: A002 - the name on the wire
        """None where there is none, or it is somebody else's."""
        return await _node(info.context, id)

    @strawberry.field(
        description="Several objects of the viewer's, in the order of the IDs, at most 100; null where there is none."
    )
    async def nodes(self, info: Info[Context, None], ids: IdsArgument) -> list[Node | None]:
        """Destinations are looked up together, and so are events."""
        if len(ids) > MAX_SIZE:
            raise BadInput(f"`ids` must be at most {MAX_SIZE}.")
        return await asyncio.gather(*(_node(info.context, id_) for id_ in ids))

    @strawberry.field(description="One of the viewer's destinations; null when there is none with this ID.")
    async def backup_destination(
        self,
        info: Info[Context, None],
        id: IdArgument,  # noqa: A002 - the name on the wire
    ) -> BackupDestination | None:
        """None for somebody else's too."""
        info.context.viewer.require(Ability.VIEW)
        row = await info.context.destinations.load(parse_id_of(NodeType.DESTINATION, id))
        return None if row is None else present(row)

    @strawberry.field(
        description="The viewer's destinations, in the order of creation unless told otherwise; a page of at most 100."
    )
    async def backup_destinations(
        self,
        info: Info[Context, None],
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        filter: Filter = UNSET,  # noqa: A002 - the name on the wire
        order_by: OrderBy = UNSET,
    ) -> BackupDestinationConnection:
        """One statement, by key."""
        info.context.viewer.require(Ability.VIEW)
        order = order_by.order() if order_by else DestinationOrder()
        chosen = filter.chosen() if filter else DestinationFilter()
        bounds = destination_bounds(order, first, after, last, before)
        slice_ = await info.context.service.slice(info.context.viewer, bounds, chosen=chosen, order=order)
        return destination_connection(slice_, order, chosen)

    @strawberry.field(description="What happened to the viewer's destinations, newest first: the audit log.")
    async def events(
        self,
        info: Info[Context, None],
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
    ) -> BackupDestinationEventConnection:
        """One statement, by key."""
        info.context.viewer.require(Ability.VIEW)
        bounds = event_bounds(first, after, last, before)
        return event_connection(await info.context.service.events(info.context.viewer, bounds))


async def _node(context: Context, id_: str) -> Node | None:
    type_, number = parse_id(id_)
    match type_:
        case NodeType.USER:
            return present_viewer(context.viewer) if number == context.viewer.user_id else None
        case NodeType.DESTINATION:
            context.viewer.require(Ability.VIEW)
            row = await context.destinations.load(number)
            return None if row is None else present(row)
        case NodeType.EVENT:
            context.viewer.require(Ability.VIEW)
            event = await context.events.load(number)
            return None if event is None else present_event(event)
