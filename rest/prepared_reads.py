"""The two reads of the REST API: parsed from a request, executed for any viewer, any number of times."""

from __future__ import annotations

from models.accounts.abilities import Ability
from models.accounts.viewer import Viewer
from models.service import DestinationService
from rest.envelope import paged, single, to_json
from rest.wire import represent
from web.request_state import Headers

HEADERS: Headers = ((b"content-type", b"application/json"),)


class ListRead:
    """A page of the list."""

    __slots__ = ("_keep_size", "_number", "_service", "_size", "_url")

    headers = HEADERS
    ability = Ability.VIEW

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


class DetailRead:
    """One destination."""

    __slots__ = ("_id", "_service")

    headers = HEADERS
    ability = Ability.VIEW

    def __init__(self, service: DestinationService, destination_id: int) -> None:
        self._service = service
        self._id = destination_id

    async def body(self, viewer: Viewer) -> bytes:
        """The envelope in JSON; raises `Refusal`."""
        return to_json(single(represent(await self._service.get(viewer, self._id))))
