"""The five endpoints in the document's order, and that of grants, with and without the `/api` prefix."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from models.accounts.abilities import Ability
from models.destinations.row import DestinationRow
from models.destinations.version_conflict import VersionConflict
from models.errors import DestinationNotFound
from models.grants.grants import Grants, require_grantable
from models.service import DestinationService
from models.writes.idempotency import KeyedAct, KeyedRequest
from rest.bodies import parse_body
from rest.envelope import JSONAnswer, single
from rest.grants import raw_access, represent_grant
from rest.prepared_reads import DetailRead, ListRead, ListShape
from rest.wire import destination_id, raw_attributes, represent
from web.auth.authenticator import Authenticator
from web.auth.middleware import Authentication
from web.cache.cache_key import READS, CacheKey, RequestKey, condition_of
from web.cache.cached_response import CachedResponse
from web.cache.etags import forms_of
from web.cache.response_cache import ResponseCache
from web.http.content_coding import is_encoded
from web.http.idempotency_key import REPLAYED, idempotency_key
from web.request_state import request_state, viewer_of

PreparedRead = ListRead | DetailRead
Read = Callable[[Scope], PreparedRead]
Write = Callable[[Request, KeyedAct | None], Awaitable[Response]]

DELETED = "Backup destination successfully deleted"
EXCLUDED = "The backup destination is there, which If-None-Match excludes"


def list_destinations(scope: Scope) -> PreparedRead:
    """List Backup Destinations."""
    shape = ListShape(_service(scope), _list_url(scope))
    request_state(scope).read_shape = shape
    return shape.prepare(scope["query_string"])


async def create_destination(request: Request, keyed: KeyedAct | None = None) -> Response:
    """Create Backup Destination."""
    viewer = viewer_of(request.scope)
    viewer.require(Ability.CREATE)
    row = await _service(request.scope).create(viewer, raw_attributes(await _fields(request)), keyed=keyed)
    return JSONAnswer(single(represent(row)), 201, {"Location": f"{_list_url(request.scope)}/{row.id}"})


def show_destination(scope: Scope) -> PreparedRead:
    """Show Backup Destination. An id that cannot be one is that of a row that is not there."""
    return DetailRead(_service(scope), destination_id(scope["path_params"]["id"]) or 0)


async def update_destination(request: Request, keyed: KeyedAct | None = None) -> Response:
    """Update Backup Destination. Whose row it is comes before what the body says."""
    service, viewer, id_ = _service(request.scope), viewer_of(request.scope), _id(request, Ability.UPDATE)

    async def act() -> DestinationRow:
        expected = await _expected_version(request, id_, Ability.UPDATE)
        snapshot = await service.snapshot(viewer, id_)
        raw = raw_attributes(await _fields(request))
        return await service.update(viewer, id_, raw, snapshot=snapshot, expected_version=expected, keyed=keyed)

    row = await (act() if keyed is None else _unless_done(request, keyed, act))
    assert row is not None  # noqa: S101 - a change leaves the row
    return JSONAnswer(single(represent(row)))


async def delete_destination(request: Request, keyed: KeyedAct | None = None) -> Response:
    """Delete Backup Destination; `Prefer: return=minimal` (RFC 7240) spares the message."""
    viewer, id_ = viewer_of(request.scope), _id(request, Ability.DELETE)

    async def act() -> None:
        expected = await _expected_version(request, id_, Ability.DELETE)
        await _service(request.scope).delete(viewer, id_, expected_version=expected, keyed=keyed)

    await (act() if keyed is None else _unless_done(request, keyed, act))
    if "return=minimal" in _preferences(request):
        return Response(status_code=204, headers={"Preference-Applied": "return=minimal"})
    return JSONAnswer({"message": DELETED})


async def grant_access(request: Request, _keyed: KeyedAct | None = None) -> Response:
    """Grant Access. Signed requests to the store of a destination, for a backup job that has none of its keys.

    Whose row it is comes before what the body says. An Idempotency-Key changes nothing: to repeat an answer, its
    signatures would have to be stored, and another grant does no harm.
    """
    viewer, id_ = viewer_of(request.scope), _id(request, Ability.USE)
    grants: Grants = request.scope["state"]["grants"]
    row = await grants.find(viewer, id_)
    fields = await _fields(request)
    require_grantable(row)
    granted = await grants.grant(viewer, row, raw_access(fields))
    return JSONAnswer(single(represent_grant(granted)), 201)


_COLLECTION: dict[str, Read | Write] = {"GET": list_destinations, "HEAD": list_destinations, "POST": create_destination}
_ITEM: dict[str, Read | Write] = {
    "GET": show_destination,
    "HEAD": show_destination,
    "PUT": update_destination,
    "DELETE": delete_destination,
}
_GRANTS: dict[str, Read | Write] = {"POST": grant_access}
ENDPOINTS = {
    "/backup-destinations": _COLLECTION,
    "/backup-destinations/{id}": _ITEM,
    "/backup-destinations/{id}/grants": _GRANTS,
}
"""Which function answers which method of which path."""


class _Endpoints:
    """The endpoints of one path, by method, as a plain ASGI application: Starlette's wrapping of a function costs more
    than a short list, and turns exceptions into responses, which `Errors` does.
    """

    def __init__(self, by_method: Mapping[str, Read | Write], cache: ResponseCache) -> None:
        self._reads: dict[str, Any] = {method: by_method[method] for method in READS if method in by_method}
        self._writes: dict[str, Any] = {method: write for method, write in by_method.items() if method not in READS}
        self._cache = cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = self._reads.get(scope["method"])
        response: ASGIApp
        if read is None:
            response = await self._write(Request(scope, receive, send))
        else:
            response = await self._read(read, scope)
        await response(scope, receive, send)

    async def _write(self, request: Request) -> Response:
        request_state(request.scope).is_confidential = True
        keyed = await _keyed(request)
        write: Write = self._writes[request.method]
        response = await write(request, keyed)
        if keyed is not None and keyed.request.is_replayed:
            response.headers[REPLAYED] = "true"
        return response

    async def _read(self, read: Read, scope: Scope) -> CachedResponse:
        """The response of a read, from the cache or executed; the ability comes before both."""
        viewer = viewer_of(scope)
        state = request_state(scope)
        prepared = state.prepared_read = read(scope)
        viewer.require(prepared.ability)
        key, condition = self._cache.key_of(viewer, scope), condition_of(scope)
        cached = state.response or self._cache.get(key, condition, state.wanted)
        if cached is None:
            body = await prepared.body(viewer)
            shows = prepared.shows_checks
            cached = self._cache.put(key, prepared.headers, body, condition, state.wanted, shows_checks=shows)
        return cached


def routes(authenticator: Authenticator, cache: ResponseCache) -> list[BaseRoute]:
    """The paths of the REST API; the lifespan's state holds the service."""
    paths = [prefix + "/backup-destinations" for prefix in ("/api", "")]
    return [
        _ExactRoute(
            path + slash,
            _Endpoints(by_method, cache),
            methods=list(by_method),
            middleware=[Middleware(Authentication, authenticator=authenticator)],
        )
        for base in paths
        for path, by_method in ((base, _COLLECTION), (base + "/{id}", _ITEM), (base + "/{id}/grants", _GRANTS))
        for slash in ("", "/")
    ]


class _ExactRoute(Route):
    """A route that matches its path and nothing more: Starlette's pattern ends in `$`, which lets a line feed by."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")


def _service(scope: Scope) -> DestinationService:
    service: DestinationService = scope["state"]["service"]
    return service


def _id(request: Request, ability: Ability) -> int:
    """The id in the path, once the ability is there; an id that cannot be one is a row that is not there."""
    viewer_of(request.scope).require(ability)
    id_ = destination_id(request.path_params["id"])
    if id_ is None:
        raise DestinationNotFound
    return id_


async def _expected_version(request: Request, id_: int, ability: Ability) -> int | None:
    """The version of the row that `If-Match` names (RFC 9110, 13.1.1); None without a condition, and for `*`.

    A tag is that of a response at one revision of the user, in one content coding. The row is read before the revision:
    if the tag is still current then, nothing of the user has changed since the client got it, and the row is the one it
    saw.
    Raises `VersionConflict` for a tag that is not current, `HTTPException` (412) for an `If-None-Match` that is `*` or
    names a current one (13.1.2), and what `get` raises.
    """
    tags, excluded = _tags(request, "if-match"), _tags(request, "if-none-match")
    if not tags and not excluded:
        return None
    service, viewer = _service(request.scope), viewer_of(request.scope)
    row = await service.get(viewer, id_, ability=ability)
    forms: set[str] = set()
    if tags != ["*"] or excluded:
        current = await service.at_current_revision(viewer)
        key = CacheKey(current, RequestKey.of({**request.scope, "method": "GET"}, current.protocol))
        tag = request.scope["state"]["tags"].of(key, shows_checks=False)
        forms = {form.decode() for form in forms_of(tag)}
    if tags and tags != ["*"] and forms.isdisjoint(tags):
        raise VersionConflict(row)
    if "*" in excluded or not forms.isdisjoint(tag.removeprefix("W/") for tag in excluded):
        raise HTTPException(412, EXCLUDED)
    return row.version if tags and tags != ["*"] else None


def _tags(request: Request, name: str) -> list[str]:
    """The entity tags in a header that is a list of them, or of `*`."""
    return [tag.strip() for value in request.headers.getlist(name) for tag in value.split(",")]


async def _keyed(request: Request) -> KeyedAct | None:
    """The act of a request with an Idempotency-Key; None without one, and for a body that is going to be refused.

    Two requests are the same by method, path and the values of the body, whatever its spelling.
    """
    key = idempotency_key(request.scope)
    if key is None:
        return None
    try:
        fields = await _fields(request)
    except HTTPException:
        if request.method == "DELETE":  # whose body nothing else reads
            raise
        return None
    path = request.scope["path"].removeprefix("/api").rstrip("/")
    return KeyedRequest.of(key, "REST", request.method, path, fields).act()


async def _unless_done(
    request: Request, keyed: KeyedAct, act: Callable[[], Awaitable[DestinationRow | None]]
) -> DestinationRow | None:
    """The first result under the key, or that of `act`.

    A condition that fails and a row that is gone may be what the first request itself has done since.
    """
    service, viewer = _service(request.scope), viewer_of(request.scope)
    first = await service.first_result(viewer, keyed)
    if first is not None:
        return first.row
    try:
        return await act()
    except (VersionConflict, DestinationNotFound):
        first = await service.first_result(viewer, keyed)
        if first is None:
            raise
        return first.row


async def _fields(request: Request) -> dict[str, object]:
    body = await request.body()
    return dict(parse_body(request.headers.get("content-type", ""), body, is_encoded=is_encoded(request.headers.raw)))


def _preferences(request: Request) -> set[str]:
    values = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return {value.replace(" ", "").replace('"', "") for value in values}


def _list_url(scope: Scope) -> str:
    """The URL of the list as the client called it, or under the public URL."""
    prefix = "/api" if scope["path"].startswith("/api/") else ""
    host = next(value for name, value in scope["headers"] if name == b"host")
    base = scope["state"]["public_url"] or f"{scope['scheme']}://{host.decode('latin-1')}"
    return f"{base}{prefix}/backup-destinations"
