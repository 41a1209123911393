"""Connections after the Relay cursor connections specification: keyset pages with opaque cursors."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson
import strawberry
from strawberry.types import Info

from models.destinations.ownership import MAX_ID
from models.destinations.row import DestinationRow as Row
from models.events.event import Event
from models.pagination import DEFAULT_SIZE, MAX_SIZE, Bounds, Slice
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

_MAX_CURSOR_LENGTH = 2_048
_EVENT = "event"
_NO_CURSOR = "This is not a cursor of this API."


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are items after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are items before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last edge; null on an empty page.")


@strawberry.type(description="One destination in a list.")
class BackupDestinationEdge:
    cursor: str = strawberry.field(description="The position of this edge, for `after` and `before`.")
    node: BackupDestination = strawberry.field(description="The destination.")


@strawberry.type(description="A page of destinations.")
class BackupDestinationConnection:
    edges: list[BackupDestinationEdge] = strawberry.field(description="The destinations with their cursors, in order.")
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
    edges: list[BackupDestinationEventEdge] = strawberry.field(description="The events with their cursors, in order.")
    page_info: PageInfo = strawberry.field(description="The position of this page in the list.")


def destination_bounds(
    order: DestinationOrder, first: First, after: After, last: Last, before: Before
) -> Bounds[DestinationPosition]:
    """The paging arguments of a list in that order; raises `BadInput`."""
    return Bounds(
        size=_size(first, last),
        after=_destination_position(after, order) if isinstance(after, str) else None,
        before=_destination_position(before, order) if isinstance(before, str) else None,
        from_end=isinstance(last, int),
    )


def event_bounds(first: First, after: After, last: Last, before: Before) -> Bounds[int]:
    """The paging arguments of the events; raises `BadInput`."""
    return Bounds(
        size=_size(first, last),
        after=_event_position(after) if isinstance(after, str) else None,
        before=_event_position(before) if isinstance(before, str) else None,
        from_end=isinstance(last, int),
    )


def destination_cursor(row: Row, order: DestinationOrder) -> str:
    """The cursor of a row in that order."""
    if order.field is OrderField.ID:
        return _encode([OrderField.ID, None, row.id])
    position = position_of(row, order)
    return _encode([order.field, position.value, position.id])


def destination_edge(row: Row, order: DestinationOrder) -> BackupDestinationEdge:
    """The edge of a row in that order."""
    return BackupDestinationEdge(cursor=destination_cursor(row, order), node=present(row))


def destination_connection(
    slice_: Slice[Row], order: DestinationOrder, chosen: DestinationFilter
) -> BackupDestinationConnection:
    """The connection of one slice of destinations."""
    edges = [destination_edge(row, order) for row in slice_.rows]
    return BackupDestinationConnection(edges=edges, page_info=_page_info(slice_, edges), chosen=chosen)


def event_connection(slice_: Slice[Event]) -> BackupDestinationEventConnection:
    """The connection of one slice of the audit log."""
    edges = [
        BackupDestinationEventEdge(cursor=_encode([_EVENT, None, event.id]), node=present_event(event))
        for event in slice_.rows
    ]
    return BackupDestinationEventConnection(edges=edges, page_info=_page_info(slice_, edges))


def _page_info(slice_: Slice[Any], edges: list[Any]) -> PageInfo:
    return PageInfo(
        has_next_page=slice_.has_next,
        has_previous_page=slice_.has_previous,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )


def _size(first: First, last: Last) -> int:
    """The page size. An argument that was left out is `UNSET`, neither None nor an integer."""
    if isinstance(first, int) and isinstance(last, int):
        raise BadInput("Give `first` or `last`, not both.")
    name, size = ("first", first) if isinstance(first, int) else ("last", last)
    if not isinstance(size, int):
        return DEFAULT_SIZE
    if not 0 <= size <= MAX_SIZE:
        raise BadInput(f"`{name}` must be from 0 to {MAX_SIZE}.")
    return size


def _destination_position(cursor: str, order: DestinationOrder) -> DestinationPosition:
    field, value, id_ = _decode(cursor)
    wanted = {OrderField.ID: type(None), OrderField.LABEL: str}.get(order.field, int)
    if field != order.field or type(value) is not wanted:
        raise BadInput("This cursor is not of a list in this order.")
    if id_ > MAX_ID or (isinstance(value, int) and value not in TIMESTAMPS_US):
        raise BadInput(_NO_CURSOR)
    return DestinationPosition(value=value, id=id_)


def _event_position(cursor: str) -> int:
    field, value, id_ = _decode(cursor)
    if field != _EVENT or value is not None:
        raise BadInput("This cursor is not of a list of events.")
    return id_


def _encode(parts: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def _decode(cursor: str) -> tuple[Any, Any, int]:
    try:
        if len(cursor) > _MAX_CURSOR_LENGTH:
            raise ValueError("too long")
        field, value, id_ = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        if type(id_) is not int or not 0 < id_ < 2**63:
            raise ValueError("out of range")
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("no text")
    except (ValueError, TypeError, binascii.Error):
        raise BadInput(_NO_CURSOR) from None
    return field, value, id_
