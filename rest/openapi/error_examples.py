"""Every refusal that an operation of the REST API can meet, answered by the code that refuses, for its document."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models.accounts.abilities import Ability
from models.destinations.row import PlainRow
from models.destinations.validation import parse
from models.destinations.version_conflict import VersionConflict
from models.errors import (
    AbilityMissing,
    DatabaseUnavailable,
    DestinationForbidden,
    DestinationNotFound,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    OutcomeUnknown,
    Quota,
    Refusal,
    TooManyAttempts,
    Unauthenticated,
    ValidationFailed,
)
from rest.bodies import parse_body
from rest.errors import refuse, refuse_http
from rest.wire import raw_attributes
from web.http.idempotency_key import malformed
from web.http.media_type import JSON_TYPE
from web.problem import problem

_REQUEST = Request({"type": "http"})
_LIMIT, _WINDOW_S = 600, 60
_LARGEST_BODY = 131_072


def every_refusal(
    ability: Ability, *, of_row: bool, takes_body: bool, own: Mapping[str, Refusal] | None = None
) -> dict[str, Response]:
    """The answers by a name for each; `of_row` for an operation on one destination.

    `own` are those of an operation that does not change destinations and has other rules.
    """
    refused: dict[str, Response] = {}
    refusals: dict[str, Refusal] = {
        "no valid token": Unauthenticated(),
        "ability missing": AbilityMissing(ability),
        "too many requests": _too_many(),
        "database away": DatabaseUnavailable(),
    }
    if of_row:
        refusals |= {"no such destination": DestinationNotFound(), "another user's": DestinationForbidden()}
        if ability is not Ability.VIEW and own is None:
            refusals["changed meanwhile"] = VersionConflict(PlainRow.of())
    if ability is not Ability.VIEW and own is None:
        refusals["outcome unknown"] = OutcomeUnknown()
        refusals["key in use"] = IdempotencyKeyInUse()
        refusals["key of another request"] = IdempotencyKeyReused()
        refused["malformed key"] = refuse_http(_REQUEST, malformed())
    if takes_body:
        refusals |= {"broken rules": _invalid()} if own is None else own
        refused["not JSON"] = _refused_body(JSON_TYPE, b"{")
        refused["neither JSON nor a form"] = _refused_body("text/plain", b"x")
        refused["compressed"] = _refused_body(JSON_TYPE, b"{}", is_encoded=True)
        refused["too large"] = problem(413, f"The request body is larger than {_LARGEST_BODY} bytes.")
    refused |= {name: refuse(_REQUEST, refusal) for name, refusal in refusals.items()}
    refused["our mistake"] = problem(500, "Something went wrong on our side; the request id is 6f1d8e0c4b2a9735.")
    return refused


def _too_many() -> TooManyAttempts:
    return TooManyAttempts(Quota(limit=_LIMIT, remaining=0), retry_after_s=_WINDOW_S, resets_at=0)


def _invalid() -> ValidationFailed:
    try:
        parse(raw_attributes({"type": "s4"}))
    except ValidationFailed as refusal:
        return refusal
    raise AssertionError("a destination without a label and of no known type was taken")


def _refused_body(content_type: str, body: bytes, *, is_encoded: bool = False) -> Response:
    try:
        parse_body(content_type, body, is_encoded=is_encoded)
    except HTTPException as refusal:
        return refuse_http(_REQUEST, refusal)
    raise AssertionError("what is no body was taken for one")
