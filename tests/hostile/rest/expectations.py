"""The answers of the contract, named once, and the sentences of its violations."""

from collections.abc import Mapping
from typing import Required, TypedDict


class Expectation(TypedDict, total=False):
    """The answering half of a case."""

    status: Required[frozenset[int] | int]
    error: str | None
    message: str | None
    errors: dict[str, list[str]] | None
    fields: tuple[str, ...] | None
    data: Mapping[str, object] | None
    meta: dict[str, int] | None
    raw: bool


OK: Expectation = {"status": 200}
CREATED: Expectation = {"status": 201}
NO_CONTENT: Expectation = {"status": 204}
BAD_REQUEST: Expectation = {"status": 400, "error": "Bad Request"}
UNAUTHORIZED: Expectation = {"status": 401, "error": "Unauthorized", "message": "Unauthenticated."}
FORBIDDEN: Expectation = {
    "status": 403,
    "error": "Forbidden",
    "message": "You are not authorized to access this backup destination",
}
NOT_FOUND: Expectation = {"status": 404, "error": "Not Found", "message": "Backup destination not found"}
NO_ROUTE: Expectation = {"status": 404, "error": "Not Found"}
NOT_ALLOWED: Expectation = {"status": 405, "error": "Method Not Allowed"}
PRECONDITION_FAILED: Expectation = {"status": 412}
TOO_LARGE: Expectation = {"status": 413}
UNSUPPORTED: Expectation = {"status": 415, "error": "Unsupported Media Type"}
UNPROCESSABLE: Expectation = {"status": 422, "error": "Unprocessable Entity"}
NOT_HTTP: Expectation = {"status": 400, "raw": True}
NO_CODING: Expectation = {"status": 501, "error": "Not Implemented", "raw": True}

LABEL_REQUIRED = "The label field is required."
TYPE_REQUIRED = "The type field is required."
TYPE_INVALID = "The selected type is invalid."


def either(*statuses: int) -> Expectation:
    """Expect one of these statuses, where the contract leaves the choice."""
    return {"status": frozenset(statuses)}


def parser_or(*statuses: int) -> Expectation:
    """Expect one of these statuses from the HTTP parser or from what comes after it."""
    return {"status": frozenset(statuses), "raw": True}


def lacking(ability: str) -> Expectation:
    """Expect the refusal of a token without this ability."""
    message = f"Access denied due to insufficient permissions. Required token ability scopes: {ability}"
    return {"status": 403, "error": "Forbidden", "message": message}


def created(**data: object) -> Expectation:
    """Expect a new destination that represents itself with these values."""
    return {"status": 201, "data": data}


def updated(**data: object) -> Expectation:
    """Expect a changed destination that represents itself with these values."""
    return {"status": 200, "data": data}


def violating(errors: Mapping[str, str]) -> Expectation:
    """Expect exactly these violations, in this order, and the message that sums them up."""
    first, *others = errors.values()
    more = f" (and {len(others)} more error{'s' if len(others) > 1 else ''})" if others else ""
    return {**UNPROCESSABLE, "message": first + more, "errors": {field: [text] for field, text in errors.items()}}


def violating_fields(*fields: str) -> Expectation:
    """Expect violations of exactly these fields, in this order, in words the contract does not fix."""
    return {**UNPROCESSABLE, "fields": fields}


def spoken(field: str) -> str:
    """Spell a field the way the sentences do."""
    return field.replace("_", " ")


def required_when(field: str, kind: str) -> str:
    return f"The {spoken(field)} field is required when type is {kind}."


def must_be_string(field: str) -> str:
    return f"The {spoken(field)} field must be a string."


def too_long(field: str, limit: int = 255) -> str:
    return f"The {spoken(field)} field must not be greater than {limit} characters."


def must_be_boolean(field: str = "path_style_endpoint") -> str:
    return f"The {spoken(field)} field must be true or false."


def must_be_url(field: str = "custom_s3_endpoint") -> str:
    return f"The {spoken(field)} field must be a valid URL."
