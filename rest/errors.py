"""The one map from a refusal to a response of the REST API: its status, headers and sentence."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models.destinations.version_conflict import VersionConflict
from models.destinations.violations import Violation
from models.errors import (
    AbilityMissing,
    DatabaseUnavailable,
    DestinationForbidden,
    DestinationNotFound,
    DestinationNotGrantable,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    KeysUnavailable,
    OutcomeUnknown,
    Refusal,
    TooManyAttempts,
    Unauthenticated,
    ValidationFailed,
)
from models.grants.access import AccessInvalid, FieldsRefused, StoreNotUsable
from rest.wire import FIELDS, TYPES
from web.problem import problem

RETRY_AFTER_S = 1

_STATUSES: dict[type[Refusal], HTTPStatus] = {
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    AbilityMissing: HTTPStatus.FORBIDDEN,
    DestinationForbidden: HTTPStatus.FORBIDDEN,
    DestinationNotFound: HTTPStatus.NOT_FOUND,
    ValidationFailed: HTTPStatus.UNPROCESSABLE_ENTITY,
    AccessInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    FieldsRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    DestinationNotGrantable: HTTPStatus.CONFLICT,
    StoreNotUsable: HTTPStatus.CONFLICT,
    VersionConflict: HTTPStatus.PRECONDITION_FAILED,
    TooManyAttempts: HTTPStatus.TOO_MANY_REQUESTS,
    IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    IdempotencyKeyInUse: HTTPStatus.CONFLICT,
    DatabaseUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    KeysUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    OutcomeUnknown: HTTPStatus.SERVICE_UNAVAILABLE,
}

_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This method is not supported here.",
}


def refuse(_request: Request, refusal: Exception) -> Response:
    """Answer a refusal of the model."""
    assert isinstance(refusal, Refusal)  # noqa: S101 - registered for these only
    status = _STATUSES[type(refusal)]
    if isinstance(refusal, ValidationFailed):
        return _invalid(refusal)
    if isinstance(refusal, AccessInvalid):
        return _invalid_access(refusal)
    if isinstance(refusal, FieldsRefused):
        return problem(status, str(refusal), errors=dict(refusal.errors))
    if isinstance(refusal, IdempotencyKeyReused):
        return problem(status, str(refusal), errors={"idempotency_key": [str(refusal)]})
    return problem(status, str(refusal), headers=_headers(refusal))


def refuse_http(_request: Request, exception: Exception) -> Response:
    """Answer what Starlette or the parser of a request raised."""
    assert isinstance(exception, HTTPException)  # noqa: S101 - registered for these only
    phrase = HTTPStatus(exception.status_code).phrase
    own = _SENTENCES.get(exception.status_code, phrase)
    headers = dict(exception.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
    return problem(exception.status_code, own if exception.detail == phrase else exception.detail, headers=headers)


def handlers() -> dict[Any, Callable[[Request, Exception], Response]]:
    """What Starlette wants to know: exception class to handler."""
    return {**dict.fromkeys(_STATUSES, refuse), HTTPException: refuse_http}


def _headers(refusal: Refusal) -> dict[str, str]:
    match refusal:
        case Unauthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case OutcomeUnknown(has_key=False):
            return {}
        case DatabaseUnavailable() | KeysUnavailable() | IdempotencyKeyInUse():
            return {"Retry-After": str(RETRY_AFTER_S)}
        case TooManyAttempts(quota=quota, retry_after_s=wait_s, resets_at=resets_at):
            return {
                "X-RateLimit-Limit": str(quota.limit),
                "X-RateLimit-Remaining": "0",
                "Retry-After": str(wait_s),
                "X-RateLimit-Reset": str(max(resets_at, int(time.time()) + wait_s)),
            }
        case _:
            return {}


def _invalid(refusal: ValidationFailed) -> Response:
    errors: dict[str, list[str]] = {}
    for violation in refusal.violations:
        errors.setdefault(FIELDS[violation.attribute], []).append(_sentence(violation))
    sentences = [sentence for of_field in errors.values() for sentence in of_field]
    return problem(422, refusal.summary(sentences), errors=errors)


def _invalid_access(refusal: AccessInvalid) -> Response:
    errors = {violation.field.value: [violation.message] for violation in refusal.violations}
    return problem(422, str(refusal), errors=errors)


def _sentence(violation: Violation) -> str:
    field = FIELDS[violation.attribute].replace("_", " ")
    return violation.sentence(field, None if violation.kind is None else TYPES[violation.kind])
