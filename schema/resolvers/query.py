"""The root type of queries."""

from __future__ import annotations

from typing import assert_never, cast

import strawberry
from strawberry import UNSET
from strawberry.types import Info

from models.accounts.abilities import Ability
from models.accounts.viewer import Viewer
from models.destinations.row import DestinationRow
from models.events.event import Event
from models.events.history import EVERY_EVENT
from models.pagination import Slice
from schema.context import Context
from schema.errors import BadInput
from schema.resolvers.load import (
    Found,
    load_destination,
    load_node,
    load_nodes,
    load_viewer,
    load_wanted,
    wanted_destinations,
)
from schema.types.arguments import After, Before, EventsFilter, Filter, First, IdArgument, IdsArgument, Last, OrderBy
from schema.types.checks import CheckJob, present_job
from schema.types.connections import (
    BackupDestinationConnection,
    BackupDestinationEventConnection,
    destination_connection,
)
from schema.types.destinations import BackupDestination, Node, User, present, present_viewer
from schema.types.events import present_event
from schema.types.ids import parse_job_id
from schema.types.paging.event_pages import event_bounds


@strawberry.type(description="Queries. All return the viewer's own objects.")
class Query:
    @strawberry.field(description="The user that the token belongs to.")
    async def viewer(self, info: Info[Context, None]) -> User:
        """Needs no ability."""
        return present_viewer(await load_viewer(info.context))

    @strawberry.field(description="Any object of the viewer's, by its global ID.")
    async def node(self, info: Info[Context, None], id: IdArgument) -> Node | None:  # noqa: A002 - the public name
        """None when there is none, or it belongs to another user."""
        return _present(await load_node(info.context, id))

    @strawberry.field(
        description="Several objects of the viewer's, in the order of the IDs, at most 100; null where there is none, "
        "with an error where an ID is malformed."
    )
    async def nodes(self, info: Info[Context, None], ids: IdsArgument) -> list[Node | None]:
        """One statement for all destinations, and one for all events."""
        return [_present_or_error(found) for found in await load_nodes(info.context, ids)]

    @strawberry.field(description="One of the viewer's destinations; null when there is none with this ID.")
    async def backup_destination(
        self,
        info: Info[Context, None],
        id: IdArgument,  # noqa: A002 - the public name
    ) -> BackupDestination | None:
        """None also for a destination of another user."""
        row = await load_destination(info.context, id)
        return None if row is None else present(row)

    @strawberry.field(
        description="The viewer's destinations, by default in the order of creation; a page of at most 100."
    )
    async def backup_destinations(
        self,
        info: Info[Context, None],
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        filter: Filter = UNSET,  # noqa: A002 - the public name
        order_by: OrderBy = UNSET,
    ) -> BackupDestinationConnection:
        """One statement, with keyset pagination."""
        info.context.viewer.require(Ability.VIEW)
        wanted = wanted_destinations(first, after, last, before, filter, order_by)
        slice_ = await load_wanted(info.context, wanted, all_columns=True)
        return destination_connection(slice_, wanted.order, wanted.chosen)

    @strawberry.field(description="One of the viewer's jobs of checks; null when there is none with this ID.")
    async def check_job(self, info: Info[Context, None], id: IdArgument) -> CheckJob | None:  # noqa: A002 - the public name
        """A response that shows it is not kept: no revision of the user's tells that it goes on."""
        info.context.is_shared = False
        info.context.viewer.require(Ability.VIEW)
        job = await info.context.jobs.find(info.context.viewer, parse_job_id(id))
        return None if job is None else present_job(job)

    @strawberry.field(
        graphql_type=BackupDestinationEventConnection,
        description="What happened to the viewer's destinations, newest first: the audit log.",
    )
    async def events(
        self,
        info: Info[Context, None],
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        filter: EventsFilter = UNSET,  # noqa: A002 - the public name
    ) -> Slice[Event]:
        """One statement, with keyset pagination."""
        info.context.viewer.require(Ability.VIEW)
        bounds = event_bounds(first, after, last, before)
        chosen = filter.chosen() if filter else EVERY_EVENT
        return await info.context.service.events(info.context.viewer, bounds, chosen=chosen)


def _present_or_error(found: Found | BadInput | None) -> Node | None:
    # graphql-core takes an exception in a list for the error of that item.
    return cast(Node, found) if isinstance(found, BadInput) else _present(found)


def _present(found: Found | None) -> Node | None:
    match found:
        case None:
            return None
        case Viewer():
            return present_viewer(found)
        case DestinationRow():
            return present(found)
        case Event():
            return present_event(found)
        case _:
            assert_never(found)
