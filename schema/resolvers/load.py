"""What the root fields of queries read: one function each, called by resolvers and by compiled queries alike.

They return rows of the domain; resolvers present them as GraphQL objects, compiled queries write JSON from them. They
give a future where a lookup is all there is to wait for: each coroutine of several that are waited for together needs a
task. A refusal is raised when it is waited for, so that nothing that was begun beside it is left behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Never, TypeVar

from strawberry import UNSET

from models.accounts.abilities import Ability
from models.accounts.viewer import Viewer
from models.destinations.row import DestinationRow
from models.errors import Refusal
from models.events.event import Event
from models.pagination import MAX_SIZE, Bounds, Slice
from models.reads.listing import BY_ID, EVERYTHING, DestinationFilter, DestinationOrder, DestinationPosition
from schema.context import Context
from schema.errors import BadInput
from schema.types.arguments import After, Before, Filter, First, Last, OrderBy
from schema.types.connections import destination_bounds
from schema.types.ids import NodeType, parse_id, parse_id_of

Found = DestinationRow | Viewer | Event
T = TypeVar("T")


class Wanted(NamedTuple):
    """A page of a list of destinations: the bounds, the order and the filter."""

    bounds: Bounds[DestinationPosition]
    order: DestinationOrder
    chosen: DestinationFilter


def load_viewer(context: Context) -> Awaitable[Viewer]:
    """The viewer."""
    try:
        return _done(context.viewer)
    except Refusal as refusal:
        return _failed(refusal)


def load_node(context: Context, id: str) -> Awaitable[Found | None]:  # noqa: A002 - the argument's name
    """The viewer's object with this global ID; None when there is none, or it belongs to another user."""
    try:
        return _load(context, *parse_id(id))
    except (BadInput, Refusal) as error:
        return _failed(error)


def _load(context: Context, type_: NodeType, number: int) -> Awaitable[Found | None]:
    """Raises `Refusal` at once."""
    viewer = context.viewer
    match type_:
        case NodeType.USER:
            return _done(viewer if number == viewer.user_id else None)
        case NodeType.DESTINATION:
            return context.destination(number)
        case NodeType.EVENT:
            viewer.require(Ability.VIEW)
            return context.event(number)


async def load_nodes(context: Context, ids: Sequence[str]) -> list[Found | BadInput | None]:
    """The viewer's objects with these global IDs, in their order, and `BadInput` in the place of a malformed one.

    Raises `BadInput` for more than 100 IDs.
    """
    if len(ids) > MAX_SIZE:
        raise BadInput(f"`ids` must be at most {MAX_SIZE}.")
    return await asyncio.gather(*(_load_or_refuse(context, id_) for id_ in ids))


def _load_or_refuse(context: Context, id_: str) -> Awaitable[Found | BadInput | None]:
    try:
        type_, number = parse_id(id_)
    except BadInput as error:
        return _done(error)
    try:
        return _load(context, type_, number)
    except Refusal as refusal:
        return _failed(refusal)


def load_destination(context: Context, id: str) -> Awaitable[DestinationRow | None]:  # noqa: A002 - the argument's name
    """The viewer's destination with this global ID, or None; the ability is checked before the ID is read."""
    try:
        context.viewer.require(Ability.VIEW)
        return context.destination(parse_id_of(NodeType.DESTINATION, id))
    except (BadInput, Refusal) as error:
        return _failed(error)


def _done(found: T) -> asyncio.Future[T]:
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    future.set_result(found)
    return future


def _failed(error: Exception) -> asyncio.Future[Never]:
    """What raises the error when it is waited for, which it has to be."""
    future: asyncio.Future[Never] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


def wanted_destinations(
    first: First = UNSET,
    after: After = UNSET,
    last: Last = UNSET,
    before: Before = UNSET,
    filter: Filter = UNSET,  # noqa: A002 - the argument's name
    order_by: OrderBy = UNSET,
) -> Wanted:
    """The page that the arguments ask for; raises `BadInput`."""
    order = order_by.order() if order_by else BY_ID
    chosen = filter.chosen() if filter else EVERYTHING
    return Wanted(destination_bounds(order, first, after, last, before), order, chosen)


def load_wanted(context: Context, wanted: Wanted, *, all_columns: bool) -> Awaitable[Slice[DestinationRow]]:
    """That page of the viewer's destinations; rows have the list columns, or all columns if `all_columns`."""
    bounds, order, chosen = wanted
    return context.service.slice(context.viewer, bounds, chosen=chosen, order=order, all_columns=all_columns)


async def count_destinations(context: Context, chosen: DestinationFilter) -> int:
    """The number of the viewer's destinations that match the filter: a counter without a filter, else one statement."""
    return await context.service.count(context.viewer, chosen)
