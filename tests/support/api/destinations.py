"""What a destination and a refusal look like in REST's JSON, for every test of that API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from tests.support.gateway.gateway import EXAMPLES, Gateway

LIST = "/api/backup-destinations"
MISSING = 2_000_000_001
TYPES = tuple(EXAMPLES)
FORBIDDEN = "You are not authorized to access this backup destination"
NOT_FOUND = "Backup destination not found"
LONG_AGO = "2024-08-07T00:00:00Z"
TIMESTAMP = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ", re.ASCII)
_PHRASES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}
_PHRASES |= {413: "Content Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Entity"}
_PHRASES |= {409: "Conflict", 412: "Precondition Failed", 429: "Too Many Requests", 503: "Service Unavailable"}
_HEAD, _TAIL = ["id", "user_id", "label", "type", "type_human"], ["created_at", "updated_at"]
_BUCKET = ["s3_bucket_name", "path_style_endpoint"]
KEYS: Mapping[str, list[str]] = {
    "s3": [*_HEAD, *_BUCKET, "s3_region", *_TAIL],
    "custom_s3": [*_HEAD, *_BUCKET, "s3_endpoint", *_TAIL],
    "local": [*_HEAD, *_TAIL],
}
"""The keys of a destination of each type, in the document's order."""


def at(id_: int | str) -> str:
    """The address of one destination."""
    return f"{LIST}/{id_}"


def draft(kind: str, **changes: Any) -> dict[str, Any]:
    """The body of a create request that is fine, then the changes; a change to None leaves the field out."""
    body = {"label": f"A {kind} destination", "type": kind, **EXAMPLES[kind], **changes}
    return {field: value for field, value in body.items() if value is not None}


def data_of(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """The one destination of a good answer."""
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["data"]
    data: dict[str, Any] = answer.json()["data"]
    assert_well_formed(data)
    return data


def assert_well_formed(data: Mapping[str, Any]) -> None:
    """A destination has the keys of its type in their order, and each value is of its form."""
    assert list(data) == KEYS[data["type"]]
    assert type(data["id"]) is int
    assert type(data["user_id"]) is int
    for field in data.keys() & {"label", "s3_bucket_name", "s3_region", "s3_endpoint"}:
        value, longest = data[field], 255
        assert isinstance(value, str), field
        assert 1 <= len(value) <= longest, field
        assert value == value.strip(), field
        assert "\x00" not in value, field
    assert isinstance(data.get("path_style_endpoint", False), bool)
    assert all(TIMESTAMP.fullmatch(data[field]) for field in _TAIL)


def assert_refused(answer: httpx.Response, status: int, message: str | None = None) -> dict[str, Any]:
    """A refusal is JSON and says `error`, then `message`; returns its body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert list(body)[:2] == ["error", "message"]
    assert body["error"] == _PHRASES[status]
    assert isinstance(body["message"], str)
    assert body["message"]
    assert message is None or body["message"] == message
    return body


async def backdate(gateway: Gateway, id_: int) -> None:
    """Make a destination one that was not changed since `LONG_AGO`."""
    timestamp = LONG_AGO.replace("T", " ").replace("Z", "+00:00")
    await gateway.rows(
        f"UPDATE backup_destinations SET created_at = '{timestamp}', updated_at = '{timestamp}' WHERE id = {id_}"  # noqa: S608 - our own values
    )


async def stored(gateway: Gateway, id_: int) -> dict[str, Any]:
    """The row as the database has it."""
    (row,) = await gateway.rows(f"SELECT * FROM backup_destinations WHERE id = {id_}")  # noqa: S608 - our own integer
    return row


async def events_of(gateway: Gateway, user_id: int) -> list[dict[str, Any]]:
    """The events of a user, oldest first."""
    return await gateway.rows(f"SELECT * FROM events WHERE user_id = {user_id} ORDER BY id")  # noqa: S608 - our own integer
