"""The two reads of the REST API: parsed from a request, executed for any viewer, any number of times."""

from __future__ import annotations

from starlette.datastructures import QueryParams

from models.accounts.abilities import Ability
from models.accounts.viewer import Viewer
from models.service import DestinationService
from rest.envelope import paged, single, to_json
from rest.wire import page_number, page_size, represent
from web.request_state import Headers

HEADERS: Headers = ((b"content-type", b"application/json"),)


class ListRead:
    """A page of the list."""

    __slots__ = ("_keep_size", "_number", "_service", "_size", "_url")

    headers = HEADERS
    ability = Ability.VIEW
    shows_checks = False

    def __init__(self, service: DestinationService, *, number: int, size: int, url: str, keep_size: bool) -> None:
        """`url` is the list's own, without a query; `keep_size` keeps `per_page` in the links."""
        self._service = service
        self._number = number
        self._size = size
        self._url = url
        self._keep_size = keep_size

    async def body(self, viewer: Viewer) -> bytes:
        """The envelope in JSON; raises `Refusal`."""
        page = await self._service.page(viewer, number=self._number, size=self._size)
        return to_json(paged(page, represent, url=self._url, keep_size=self._keep_size))


class ListShape:
    """Lists that differ in nothing but the queries of their URLs."""

    __slots__ = ("_service", "_url")

    def __init__(self, service: DestinationService, url: str) -> None:
        """`url` is the list's own, without a query."""
        self._service = service
        self._url = url

    def prepare(self, query: bytes, body: bytes = b"") -> ListRead:
        """The page that a query asks for; any query does."""
        given = QueryParams(query) if query else {}
        return ListRead(
            self._service,
            number=page_number(given.get("page")),
            size=page_size(given.get("per_page")),
            url=self._url,
            keep_size="per_page" in given,
        )


class DetailRead:
    """One destination."""

    __slots__ = ("_id", "_service")

    headers = HEADERS
    ability = Ability.VIEW
    shows_checks = False

    def __init__(self, service: DestinationService, destination_id: int) -> None:
        self._service = service
        self._id = destination_id

    async def body(self, viewer: Viewer) -> bytes:
        """The envelope in JSON; raises `Refusal`."""
        return to_json(single(represent(await self._service.get(viewer, self._id))))
