"""The paging arguments and the cursors of events."""

from __future__ import annotations

from models.pagination import Bounds
from schema.errors import BadInput
from schema.types.arguments import After, Before, First, Last
from schema.types.paging.pages import decode_cursor, encode_cursor, page_size

_EVENT = "event"


def event_bounds(first: First, after: After, last: Last, before: Before) -> Bounds[int]:
    """The paging arguments of the events; raises `BadInput`."""
    return Bounds(
        size=page_size(first, last),
        after=_event_position(after) if isinstance(after, str) else None,
        before=_event_position(before) if isinstance(before, str) else None,
        from_end=isinstance(last, int),
    )


def event_cursor(event_id: int) -> str:
    """The cursor of an event."""
    return encode_cursor([_EVENT, None, event_id])


def _event_position(cursor: str) -> int:
    field, value, id_ = decode_cursor(cursor)
    if field != _EVENT or value is not None:
        raise BadInput("This cursor is not of a list of events.")
    return id_
