"""The error body of everything that is no GraphQL: `error`, the phrase of the status, then `message`, a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

_PHRASES = {413: "Content Too Large", 422: "Unprocessable Entity"}
"""Python's own phrases for these changed with its versions; the wire's do not."""


def problem(
    status: int, message: str, *, headers: Mapping[str, str] | None = None, errors: dict[str, list[str]] | None = None
) -> Response:
    """An error response in JSON; `errors` has the sentences by field."""
    body: dict[str, Any] = {"error": _PHRASES.get(status) or HTTPStatus(status).phrase, "message": message}
    if errors is not None:
        body["errors"] = errors
    return Response(orjson.dumps(body), status, headers, "application/json")
