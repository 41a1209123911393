"""What the connections of all lists share: the position of a page, its size, and opaque cursors."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson
import strawberry

from models.pagination import DEFAULT_SIZE, MAX_SIZE, Slice
from schema.errors import BadInput
from schema.types.arguments import First, Last

_MAX_CURSOR_LENGTH = 2_048
NO_CURSOR = "This is not a cursor of this API."


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are items after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are items before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last edge; null on an empty page.")


def page_info_of(slice_: Slice[Any], edges: list[Any]) -> PageInfo:
    """The position of a slice with these edges."""
    return PageInfo(
        has_next_page=slice_.has_next,
        has_previous_page=slice_.has_previous,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )


def page_size(first: First, last: Last) -> int:
    """The page size. An argument that was left out is `UNSET`, neither None nor an integer."""
    if isinstance(first, int) and isinstance(last, int):
        raise BadInput("Give `first` or `last`, not both.")
    name, size = ("first", first) if isinstance(first, int) else ("last", last)
    if not isinstance(size, int):
        return DEFAULT_SIZE
    if not 0 <= size <= MAX_SIZE:
        raise BadInput(f"`{name}` must be from 0 to {MAX_SIZE}.")
    return size


def encode_cursor(parts: list[Any]) -> str:
    """A cursor: what the list is ordered by, the value of it, and an id."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> tuple[Any, Any, int]:
    """The parts of a cursor; raises `BadInput`."""
    try:
        if len(cursor) > _MAX_CURSOR_LENGTH:
            raise ValueError("too long")
        field, value, id_ = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        if type(id_) is not int or not 0 < id_ < 2**63:
            raise ValueError("out of range")
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("no text")
    except (ValueError, TypeError, binascii.Error):
        raise BadInput(NO_CURSOR) from None
    return field, value, id_
