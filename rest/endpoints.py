"""The five endpoints in the document's order, on two paths, with and without the `/api` prefix."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from models.abilities import Ability
from models.errors import DestinationNotFound
from models.service import DestinationService
from models.viewer import Viewer
from rest.bodies import parse_body
from rest.envelope import JSONAnswer, paged, single
from rest.wire import destination_id, page_number, page_size, raw_attributes, represent

Endpoint = Callable[[Request], Awaitable[Response]]

DELETED = "Backup destination successfully deleted"


async def list_destinations(request: Request) -> Response:
    """List Backup Destinations."""
    query = request.query_params if request.scope["query_string"] else {}
    page = await _service(request).page(
        _viewer(request), number=page_number(query.get("page")), size=page_size(query.get("per_page"))
    )
    return JSONAnswer(paged(page, represent, url=_list_url(request), keep_size="per_page" in query))


async def create_destination(request: Request) -> Response:
    """Create Backup Destination."""
    viewer = _viewer(request)
    viewer.require(Ability.CREATE)
    row = await _service(request).create(viewer, raw_attributes(await _fields(request)))
    return JSONAnswer(single(represent(row)), 201, {"Location": f"{_list_url(request)}/{row.id}"})


async def show_destination(request: Request) -> Response:
    """Show Backup Destination."""
    row = await _service(request).get(_viewer(request), _id(request, Ability.VIEW))
    return JSONAnswer(single(represent(row)))


async def update_destination(request: Request) -> Response:
    """Update Backup Destination. Whose row it is comes before what the body says."""
    service, viewer, id_ = _service(request), _viewer(request), _id(request, Ability.UPDATE)
    seen = await service.look(viewer, id_)
    row = await service.update(viewer, id_, raw_attributes(await _fields(request)), seen=seen)
    return JSONAnswer(single(represent(row)))


async def delete_destination(request: Request) -> Response:
    """Delete Backup Destination; `Prefer: return=minimal` (RFC 7240) spares the message."""
    await _service(request).delete(_viewer(request), _id(request, Ability.DELETE))
    if "return=minimal" in _preferences(request):
        return Response(status_code=204, headers={"Preference-Applied": "return=minimal"})
    return JSONAnswer({"message": DELETED})


_COLLECTION = {"GET": list_destinations, "HEAD": list_destinations, "POST": create_destination}
_ITEM = {
    "GET": show_destination,
    "HEAD": show_destination,
    "PUT": update_destination,
    "DELETE": delete_destination,
}
ENDPOINTS = {"/backup-destinations": _COLLECTION, "/backup-destinations/{id}": _ITEM}
"""Which function answers which method of which path."""


class _Endpoints:
    """The endpoints of one path, by method, as a plain ASGI application: Starlette's wrapping of a function costs more
    than a short list, and turns exceptions into answers, which is done further out.
    """

    def __init__(self, by_method: Mapping[str, Endpoint]) -> None:
        self._by_method = by_method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._by_method[scope["method"]](Request(scope, receive, send))
        await response(scope, receive, send)


def routes(middleware: Sequence[Middleware]) -> list[BaseRoute]:
    """The paths of this door. `middleware` puts the viewer into the scope; the lifespan's state holds the service."""
    paths = [prefix + "/backup-destinations" for prefix in ("/api", "")]
    return [
        _ExactRoute(path + slash, _Endpoints(by_method), methods=list(by_method), middleware=middleware)
        for base in paths
        for path, by_method in ((base, _COLLECTION), (base + "/{id}", _ITEM))
        for slash in ("", "/")
    ]


class _ExactRoute(Route):
    """A route that matches its path and nothing more: Starlette's pattern ends in `$`, which lets a line feed by."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")


def _service(request: Request) -> DestinationService:
    service: DestinationService = request.scope["state"]["service"]
    return service


def _viewer(request: Request) -> Viewer:
    viewer: Viewer = request.scope["viewer"]
    return viewer


def _id(request: Request, ability: Ability) -> int:
    """The id in the path, once the ability is there; an id that cannot be one is a row that is not there."""
    _viewer(request).require(ability)
    id_ = destination_id(request.path_params["id"])
    if id_ is None:
        raise DestinationNotFound
    return id_


async def _fields(request: Request) -> dict[str, object]:
    return dict(parse_body(request.headers.get("content-type", ""), await request.body()))


def _preferences(request: Request) -> set[str]:
    values = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return {value.replace(" ", "").replace('"', "") for value in values}


def _list_url(request: Request) -> str:
    """The URL of the list as the client called it, or under the public URL."""
    scope = request.scope
    prefix = "/api" if scope["path"].startswith("/api/") else ""
    host = next(value for name, value in scope["headers"] if name == b"host")
    base = scope["state"]["public_url"] or f"{scope['scheme']}://{host.decode('latin-1')}"
    return f"{base}{prefix}/backup-destinations"
