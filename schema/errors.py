"""The one map from a refusal to a top-level error of this door, and what is told of everything else: nothing.

No value a client sent, no statement and no stack reaches an answer or the log from here.
"""

from __future__ import annotations

import logging
import re
from enum import StrEnum
from typing import Any

from graphql import GraphQLError

from models.error_report import report
from models.errors import AbilityMissing, DatabaseUnavailable, TooManyAttempts, Unauthenticated

logger = logging.getLogger("moorings.graphql")

MAX_MESSAGE_LENGTH = 300


class Code(StrEnum):
    """`extensions.code` of a top-level error."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    BAD_REQUEST = "BAD_REQUEST"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    LIMIT = "COST_LIMIT_EXCEEDED"
    TIMED_OUT = "TIMED_OUT"
    RATE_LIMITED = "RATE_LIMITED"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


class BadInput(Exception):
    """An argument that no schema can rule out is malformed; `str()` says how, without the value."""


_CODES: dict[type[Exception], Code] = {
    Unauthenticated: Code.UNAUTHENTICATED,
    AbilityMissing: Code.FORBIDDEN,
    BadInput: Code.BAD_USER_INPUT,
    TooManyAttempts: Code.RATE_LIMITED,
    DatabaseUnavailable: Code.SERVICE_UNAVAILABLE,
}

# A syntax error shows the token it met. Only a short name is shown again: what else it is may be part of a secret.
_TOKEN = re.compile(r"\b(?:(String|BlockString|Comment|Int|Float) |(Name) (?!'\w{1,16}'\.\Z)).*", re.DOTALL | re.ASCII)
_ARGUMENT = re.compile(r"Argument '(\w{1,80})' has invalid value", re.ASCII)


def refusal(message: str, code: Code) -> dict[str, Any]:
    """A top-level error of our own making, formatted."""
    return {"message": message, "extensions": {"code": code}}


def error_of(exception: Exception) -> dict[str, Any]:
    """A refusal that ended a whole request, formatted."""
    code = _CODES.get(type(exception))
    return (
        refusal(report(exception, logger), Code.INTERNAL_SERVER_ERROR)
        if code is None
        else refusal(str(exception), code)
    )


def formatted(error: GraphQLError, code: Code) -> dict[str, Any]:
    """An error of a document, which graphql-core found before it executed anything."""
    return refusal(_harmless(error.message), code) | _place(error)


def formatted_failure(error: GraphQLError) -> dict[str, Any]:
    """An error of a field, which came up while it was executed."""
    original = error.original_error
    argument = _ARGUMENT.match(error.message)
    if original is not None and not isinstance(original, GraphQLError):
        shown = error_of(original)
    elif argument is not None:
        # A variable that may be null stands where null does not fit: only its value can tell.
        shown = refusal(f"Argument '{argument[1]}' has a value that does not fit.", Code.BAD_USER_INPUT)
    else:
        shown = error_of(error)
    return shown | _place(error)


def _place(error: GraphQLError) -> dict[str, Any]:
    place: dict[str, Any] = {}
    if error.locations:
        place["locations"] = [{"line": at.line, "column": at.column} for at in error.locations[:1]]
    if error.path:
        place["path"] = error.path
    return place


def _harmless(message: str) -> str:
    message = _TOKEN.sub(lambda token: f"{token[1] or token[2]}.", message)
    return message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 1] + "…"
