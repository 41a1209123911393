"""Static bytes from bare uvicorn: what the server alone can do. The body is as large as a list of fifteen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


def create_app() -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An application that answers everything with the same."""
    row = {
        "id": 123_456,
        "user_id": 1_234,
        "label": "Nightly dumps of project 7",
        "type": "custom_s3",
        "type_human": "Custom S3",
        "s3_bucket_name": "nightly-dumps-7",
        "path_style_endpoint": True,
        "s3_endpoint": "https://s3.example.com",
        "created_at": "2024-08-07T00:00:00Z",
        "updated_at": "2024-08-07T00:00:00Z",
    }
    body = orjson.dumps({"data": [row] * 15, "meta": {"total": 20}})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": 200, "headers": headers}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": body})

    return app
