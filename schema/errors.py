"""Maps exceptions to top-level GraphQL errors. Unexpected exceptions become one fixed sentence and a request id.

No value that a client sent, no SQL and no stack trace reaches a response or the log from here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from graphql import GraphQLError

from models.error_report import report_unexpected
from models.errors import (
    AbilityMissing,
    DatabaseUnavailable,
    EventUnknown,
    IdempotencyKeyInUse,
    KeysUnavailable,
    OutcomeUnknown,
    TooManyAttempts,
    Unauthenticated,
)
from models.timestamps import formatted as formatted_time

logger = logging.getLogger("moorings.graphql")

MAX_MESSAGE_LENGTH = 300
RETRY_AFTER_S = 1


class Code(StrEnum):
    """`extensions.code` of a top-level error."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    BAD_REQUEST = "BAD_REQUEST"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    LIMIT = "COST_LIMIT_EXCEEDED"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    DOCUMENT_NOT_TRUSTED = "DOCUMENT_NOT_TRUSTED"
    TIMED_OUT = "TIMED_OUT"
    RATE_LIMITED = "RATE_LIMITED"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    IDEMPOTENCY_KEY_IN_USE = "IDEMPOTENCY_KEY_IN_USE"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


class BadInput(Exception):
    """An argument that no schema can rule out is malformed; `str()` says how, without the value."""


REASONS: Mapping[type[Exception], str] = {EventUnknown: "UNKNOWN_EVENT"}
"""`extensions.reason` of the exceptions that clients have to tell from others of their code."""

_CODES: dict[type[Exception], Code] = {
    Unauthenticated: Code.UNAUTHENTICATED,
    AbilityMissing: Code.FORBIDDEN,
    BadInput: Code.BAD_USER_INPUT,
    EventUnknown: Code.BAD_USER_INPUT,
    TooManyAttempts: Code.RATE_LIMITED,
    DatabaseUnavailable: Code.SERVICE_UNAVAILABLE,
    KeysUnavailable: Code.SERVICE_UNAVAILABLE,
    OutcomeUnknown: Code.OUTCOME_UNKNOWN,
    IdempotencyKeyInUse: Code.IDEMPOTENCY_KEY_IN_USE,
}

# A syntax error quotes the token it found. Only a short name is repeated: any other token may be part of a secret.
_TOKEN = re.compile(r"\b(?:(String|BlockString|Comment|Int|Float) |(Name) (?!'\w{1,16}'\.\Z)).*", re.DOTALL | re.ASCII)
_ARGUMENT = re.compile(r"Argument '(\w{1,80})' has invalid value", re.ASCII)


def refusal(message: str, code: Code) -> dict[str, Any]:
    """A formatted top-level error with this message and `extensions.code`."""
    return {"message": message, "extensions": {"code": code}}


def code_of(exception: Exception) -> Code:
    """The code of the error of an exception that ended a whole request."""
    return _CODES.get(type(exception), Code.INTERNAL_SERVER_ERROR)


def error_of(exception: Exception, request_id: str | None = None) -> dict[str, Any]:
    """The formatted error of an exception that ended a whole request; an unexpected one is logged under its id."""
    code = _CODES.get(type(exception))
    if code is None:
        return refusal(report_unexpected(exception, logger, request_id), Code.INTERNAL_SERVER_ERROR)
    error = refusal(str(exception), code)
    reason = REASONS.get(type(exception))
    if reason is not None:
        error["extensions"]["reason"] = reason
    if isinstance(exception, TooManyAttempts):
        error["extensions"]["retryAfter"] = exception.retry_after_s
        quota = exception.quota
        reset_at = formatted_time(datetime.fromtimestamp(exception.resets_at, UTC))
        error["extensions"]["rateLimit"] = {"limit": quota.limit, "remaining": quota.remaining, "resetAt": reset_at}
    elif isinstance(exception, IdempotencyKeyInUse) or (isinstance(exception, OutcomeUnknown) and exception.has_key):
        error["extensions"]["retryAfter"] = RETRY_AFTER_S
    return error


def formatted(error: GraphQLError, code: Code) -> dict[str, Any]:
    """The formatted error of a document that graphql-core refused before execution."""
    return refusal(_harmless(error.message), code) | _place(error)


def formatted_failure(error: GraphQLError, request_id: str | None = None) -> dict[str, Any]:
    """The formatted error of a field, raised during execution; an unexpected one is logged under the request's id."""
    original = error.original_error
    argument = _ARGUMENT.match(error.message)
    if original is not None and not isinstance(original, GraphQLError):
        shown = error_of(original, request_id)
    elif argument is not None:
        # A nullable variable in a non-null position: validation allows it where there is a default (spec 5.8.5), and as
        # the one field of a one-of input.
        is_one_of = " for OneOf Input Object " in error.message
        fault = "must have exactly one field, and that not null" if is_one_of else "has a value that does not fit"
        shown = refusal(f"Argument '{argument[1]}' {fault}.", Code.BAD_USER_INPUT)
    else:
        shown = error_of(error, request_id)
    return shown | _place(error)


def _place(error: GraphQLError) -> dict[str, Any]:
    place: dict[str, Any] = {}
    if error.source is not None and error.positions:
        place["locations"] = [_location(error.source.body, next(iter(error.positions)))]
    if error.path:
        place["path"] = error.path
    return place


def _location(body: str, position: int) -> dict[str, int]:
    """The line and column of a position, by counting: graphql-core makes an object for each line before it."""
    start = max(body.rfind("\n", 0, position), body.rfind("\r", 0, position)) + 1
    ends = body.count("\n", 0, position) + body.count("\r", 0, position) - body.count("\r\n", 0, position)
    return {"line": ends + 1, "column": position - start + 1}


def _harmless(message: str) -> str:
    message = _TOKEN.sub(lambda token: f"{token[1] or token[2]}.", message)
    return message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 1] + "…"
