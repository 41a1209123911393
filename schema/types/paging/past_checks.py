"""The history of checks of one destination as a connection."""

from __future__ import annotations

import strawberry

from models.checks.past_checks import Seen
from models.pagination import Bounds, Slice
from schema.errors import BadInput
from schema.types.arguments import After, First
from schema.types.checks import CheckReport, present_report
from schema.types.paging.pages import PageInfo, decode_cursor, encode_cursor, page_info_of, page_size

_CHECK = "check"


@strawberry.type(description="One check in the history of a destination.")
class CheckEdge:
    cursor: str = strawberry.field(description="The position of this edge, for `after`.")
    node: CheckReport = strawberry.field(description="What the check found.")


@strawberry.type(description="A page of the checks of one destination.")
class CheckConnection:
    edges: list[CheckEdge] = strawberry.field(description="The checks with their cursors, newest first.")
    page_info: PageInfo = strawberry.field(description="The position of this page in the history.")


def check_bounds(first: First, after: After) -> Bounds[int]:
    """The paging arguments of the checks of a destination; raises `BadInput`."""
    return Bounds(size=page_size(first, None), after=_check_position(after) if isinstance(after, str) else None)


def check_connection(slice_: Slice[Seen], destination_id: int) -> CheckConnection:
    """The connection of one slice of the checks of a destination."""
    edges = [
        CheckEdge(cursor=encode_cursor([_CHECK, None, seen.id]), node=present_report(seen.report, destination_id))
        for seen in slice_.rows
    ]
    return CheckConnection(edges=edges, page_info=page_info_of(slice_, edges))


def _check_position(cursor: str) -> int:
    field, value, id_ = decode_cursor(cursor)
    if field != _CHECK or value is not None:
        raise BadInput("This cursor is not of a list of checks.")
    return id_
