"""The document's envelopes: one destination under `data`, or a page of them with `links` and `meta`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson
from starlette.responses import Response

from models.pagination import Page
from models.timestamps import JSON_TIMESTAMPS

Row = TypeVar("Row")


class JSONAnswer(Response):
    """A JSON answer, its keys in the order they were given."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The compact UTF-8 bytes of `content`."""
        return to_json(content)


def to_json(content: Any) -> bytes:
    """The compact UTF-8 bytes of an answer; timestamps are aware and in UTC."""
    return orjson.dumps(content, option=JSON_TIMESTAMPS)


def single(shown: dict[str, Any]) -> dict[str, Any]:
    """One destination."""
    return {"data": shown}


def paged(page: Page[Row], represent: Callable[[Row], dict[str, Any]], *, url: str, keep_size: bool) -> dict[str, Any]:
    """A page of destinations. `url` is the list's own, without a query; `keep_size` keeps `per_page` in the links."""
    data: Sequence[dict[str, Any]] = [represent(row) for row in page.rows]

    def link(number: int) -> str:
        return f"{url}?page={number}" + (f"&per_page={page.size}" if keep_size else "")

    return {
        "data": data,
        "links": {
            "first": link(1),
            "last": link(page.last_number),
            "prev": link(page.number - 1) if page.number > 1 else None,
            "next": link(page.number + 1) if page.number < page.last_number else None,
        },
        "meta": {
            "current_page": page.number,
            "from": page.first_position,
            "last_page": page.last_number,
            "path": url,
            "per_page": page.size,
            "to": page.last_position,
            "total": page.total,
        },
    }
