"""Descriptions of the API at addresses of their own: the OpenAPI document, the SDL and the possible types."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

import schema
from app.settings import Settings
from rest.openapi.document import describe
from web.cache.etags import named_by
from web.request_state import request_state

_SCHEMA = Path(schema.__file__).parent


class Document:
    """Bytes that change with the version only; a client that has them gets a 304."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self._content = content
        self._media_type = media_type
        self._etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'

    async def __call__(self, request: Request) -> Response:
        headers = {"Cache-Control": "no-cache"}
        wanted = request_state(request.scope).wanted
        known = named_by(request.headers.get("if-none-match", "").encode(), self._etag.encode(), wanted).decode()
        if known:
            return Response(status_code=304, headers={"ETag": known, **headers})
        headers["ETag"] = self._etag
        return Response(self._content, headers=headers, media_type=self._media_type)


def routes(settings: Settings) -> list[BaseRoute]:
    """Served without a token, as introspection is; without introspection the schema is not shown here either."""
    openapi = orjson.dumps(describe(urlsplit(settings.public_url or "").path or "/"), option=orjson.OPT_INDENT_2)
    documents = {"/api/openapi.json": Document(openapi, "application/json")}
    if settings.introspection:
        sdl, types = (_SCHEMA / name for name in ("schema.graphql", "possibleTypes.json"))
        documents["/schema.graphql"] = Document(sdl.read_bytes(), "text/plain; charset=utf-8")
        documents["/possibleTypes.json"] = Document(types.read_bytes(), "application/json")
    return [Route(path, document.__call__, methods=["GET"]) for path, document in documents.items()]
