"""Bare ASGI with asyncpg and orjson, two queries a request: the limit of the obvious design in Python."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import asyncpg
import orjson

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

POOL_SIZE = 10
PATH = "/api/backup-destinations"
TYPES = {"amazon_s3": ("s3", "Amazon S3"), "custom_s3": ("custom_s3", "Custom S3"), "local": ("local", "Local")}
VIEWER = """SELECT digest, user_id, destination_count FROM tokens JOIN users ON users.id = tokens.user_id
WHERE tokens.id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AND disabled_at IS NULL"""
COLUMNS = "id, user_id, label, kind, bucket_name, region, endpoint, path_style_endpoint, created_at, updated_at"
LIST = f"SELECT {COLUMNS} FROM backup_destinations WHERE user_id = $1 ORDER BY id LIMIT $2"  # noqa: S608 - constants
SHOW = f"SELECT {COLUMNS} FROM backup_destinations WHERE user_id = $1 AND id = $2"  # noqa: S608 - constants
OPTIONS = orjson.OPT_UTC_Z


def create_app() -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The application; the pool opens with its lifespan."""
    peer = Peer()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await peer.live(receive, send)
        else:
            status, content = await peer.answer(scope)
            body = orjson.dumps(content, option=OPTIONS)
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


class Peer:
    """The pool and what is asked of it."""

    pool: asyncpg.Pool

    async def live(self, receive: Receive, send: Send) -> None:
        """Open the pool at the start and close it at the end."""
        await receive()
        self.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=POOL_SIZE, max_size=POOL_SIZE)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.pool.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def answer(self, scope: Scope) -> tuple[int, dict[str, Any]]:
        """The status and content for a request."""
        viewer = await self._viewer(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))
        if viewer is None:
            return 401, {"message": "Unauthenticated."}
        rest = scope["path"].removeprefix(PATH)
        if rest:
            row = await self.pool.fetchrow(SHOW, viewer["user_id"], int(rest.removeprefix("/")))
            return (404, {"message": "Not found."}) if row is None else (200, {"data": represent(row)})
        size = min(100, int(parse_qs(scope["query_string"]).get(b"per_page", [b"15"])[0]))
        rows = await self.pool.fetch(LIST, viewer["user_id"], size)
        return 200, page(rows, size, viewer["destination_count"])

    async def _viewer(self, authorization: str) -> asyncpg.Record | None:
        token_id, _, secret = authorization.removeprefix("Bearer ").partition("|")
        token = await self.pool.fetchrow(VIEWER, int(token_id)) if token_id.isdigit() else None
        digest = hashlib.sha256(secret.encode()).hexdigest()
        return token if token is not None and hmac.compare_digest(token["digest"], digest) else None


def page(rows: list[asyncpg.Record], size: int, total: int) -> dict[str, Any]:
    """The first page in its envelope."""
    last = max(1, -(-total // size))
    links = {"first": f"{PATH}?page=1", "last": f"{PATH}?page={last}", "prev": None, "next": f"{PATH}?page=2"}
    meta = {"current_page": 1, "from": 1, "last_page": last, "path": PATH, "per_page": size, "to": len(rows)}
    return {"data": [represent(row) for row in rows], "links": links, "meta": meta | {"total": total}}


def represent(row: asyncpg.Record) -> dict[str, Any]:
    """A row as the gateway's REST API shows it."""
    type_, human = TYPES[row["kind"]]
    shown = {"id": row["id"], "user_id": row["user_id"], "label": row["label"], "type": type_, "type_human": human}
    if type_ != "local":
        shown |= {"s3_bucket_name": row["bucket_name"], "path_style_endpoint": row["path_style_endpoint"]}
        shown |= {"s3_region": row["region"]} if type_ == "s3" else {"s3_endpoint": row["endpoint"]}
    return shown | {"created_at": row["created_at"], "updated_at": row["updated_at"]}
