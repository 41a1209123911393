"""Connections after the Relay cursor connections specification: keyset pages with opaque cursors."""

from __future__ import annotations

from collections.abc import Mapping

import strawberry
from strawberry.types import Info

from models.destinations.ownership import MAX_ID
from models.destinations.row import DestinationRow as Row
from models.events.event import Event
from models.pagination import Bounds, Slice
from models.reads.listing import (
    TIMESTAMPS_US,
    DestinationFilter,
    DestinationOrder,
    DestinationPosition,
    OrderField,
    position_of,
)
from schema.context import Context
from schema.errors import BadInput
from schema.types.arguments import After, Before, First, Last
from schema.types.destinations import BackupDestination, present
from schema.types.events import BackupDestinationEvent, present_event
from schema.types.paging.event_pages import event_cursor
from schema.types.paging.pages import NO_CURSOR, PageInfo, decode_cursor, encode_cursor, page_info_of, page_size


@strawberry.type(description="One destination in a list.")
class BackupDestinationEdge:
    cursor: str = strawberry.field(description="The position of this edge, for `after` and `before`.")
    node: BackupDestination = strawberry.field(description="The destination.")


@strawberry.type(description="A page of destinations.")
class BackupDestinationConnection:
    edges: list[BackupDestinationEdge] = strawberry.field(description="The destinations with their cursors, in order.")
    nodes: list[BackupDestination] = strawberry.field(
        description="The destinations without their cursors, in order: for clients that need no edges."
    )
    page_info: PageInfo = strawberry.field(description="The position of this page in the list.")
    chosen: strawberry.Private[DestinationFilter]

    @strawberry.field(description="How many destinations there are in all pages together.")
    async def total_count(self, info: Info[Context, None]) -> int:
        """Reads a counter without a filter; runs one statement with one."""
        return await info.context.service.count(info.context.viewer, self.chosen)


@strawberry.type(description="One event in a list.")
class BackupDestinationEventEdge:
    cursor: str = strawberry.field(description="The position of this edge, for `after` and `before`.")
    node: BackupDestinationEvent = strawberry.field(description="The event.")


@strawberry.type(description="A page of events.")
class BackupDestinationEventConnection:
    """Its source is a slice of events, from which each field is made; destinations need not import this type."""

    @strawberry.field(description="The events with their cursors, in order.")
    @staticmethod
    def edges(root: strawberry.Parent[Slice[Event]]) -> list[BackupDestinationEventEdge]:
        """Made of the slice."""
        return event_edges(root)

    @strawberry.field(description="The events without their cursors, in order.")
    @staticmethod
    def nodes(root: strawberry.Parent[Slice[Event]]) -> list[BackupDestinationEvent]:
        """Made of the slice."""
        return [present_event(event) for event in root.rows]

    @strawberry.field(description="The position of this page in the list.")
    @staticmethod
    def page_info(root: strawberry.Parent[Slice[Event]]) -> PageInfo:
        """Made of the slice."""
        return page_info_of(root, event_edges(root))


def destination_bounds(
    order: DestinationOrder, first: First, after: After, last: Last, before: Before
) -> Bounds[DestinationPosition]:
    """The paging arguments of a list in that order; raises `BadInput`."""
    return Bounds(
        size=page_size(first, last),
        after=_destination_position(after, order) if isinstance(after, str) else None,
        before=_destination_position(before, order) if isinstance(before, str) else None,
        from_end=isinstance(last, int),
    )


def destination_cursor(row: Row, order: DestinationOrder) -> str:
    """The cursor of a row in that order."""
    if order.field is OrderField.ID:
        return encode_cursor([OrderField.ID, None, row.id])
    position = position_of(row, order)
    return encode_cursor([_name_of(order), position.value, position.id])


def destination_edge(row: Row, order: DestinationOrder) -> BackupDestinationEdge:
    """The edge of a row in that order."""
    return BackupDestinationEdge(cursor=destination_cursor(row, order), node=present(row))


def destination_connection(
    slice_: Slice[Row], order: DestinationOrder, chosen: DestinationFilter
) -> BackupDestinationConnection:
    """The connection of one slice of destinations."""
    edges = [destination_edge(row, order) for row in slice_.rows]
    return BackupDestinationConnection(
        edges=edges, nodes=[edge.node for edge in edges], page_info=page_info_of(slice_, edges), chosen=chosen
    )


def event_edges(slice_: Slice[Event]) -> list[BackupDestinationEventEdge]:
    """The edges of one slice of the audit log."""
    return [
        BackupDestinationEventEdge(cursor=event_cursor(event.id), node=present_event(event)) for event in slice_.rows
    ]


def _name_of(order: DestinationOrder) -> str:
    """What cursors call an order: one is of its direction alone."""
    return f"-{order.field}" if order.descending else order.field


_VALUES: Mapping[OrderField, tuple[type, ...]] = {
    OrderField.ID: (type(None),),
    OrderField.CREATED_AT: (int,),
    OrderField.UPDATED_AT: (int,),
    OrderField.LAST_CHECK: (int, type(None)),
}
"""The types of the values in cursors; texts for all other orders."""


def _destination_position(cursor: str, order: DestinationOrder) -> DestinationPosition:
    name, value, id_ = decode_cursor(cursor)
    if name != _name_of(order) or type(value) not in _VALUES.get(order.field, (str,)):
        raise BadInput("This cursor is not of a list in this order and direction.")
    if id_ > MAX_ID or (isinstance(value, int) and value not in TIMESTAMPS_US):
        raise BadInput(NO_CURSOR)
    return DestinationPosition(value=value, id=id_)
