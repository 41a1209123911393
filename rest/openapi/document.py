"""The OpenAPI document (3.1) of the REST API, made from its routes, tables and refusals.

A refusal is described by what its map answers when it is asked, an example is the document's own (`examples.json`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from models.accounts.abilities import Ability
from models.pagination import DEFAULT_SIZE, MAX_SIZE
from rest.endpoints import ENDPOINTS
from rest.openapi.error_examples import every_refusal
from rest.openapi.grant_schemas import EXAMPLE, FORM_EXAMPLE, grant_schemas, refusals
from rest.openapi.json_schemas import Schema, answers, problems, reference, requests
from web.http.idempotency_key import HEADER, MAX_LENGTH, REPLAYED
from web.http.media_type import FORM_TYPE, JSON_TYPE

ABILITIES = {"GET": Ability.VIEW, "POST": Ability.CREATE, "PUT": Ability.UPDATE, "DELETE": Ability.DELETE}
"""What a token must allow for each method on destinations."""
_GRANTS = "/grants"
"""How the path of grants ends, which are made with another ability."""

_EXAMPLES: Path = Path(__file__).with_name("examples.json")
_WITH_BODY = {"POST": "NewDestination", "PUT": "DestinationChanges"}
_NEW_GRANT = "NewGrant"
_ABOUT = """\
The destinations of the user whose token is sent, as `Authorization: Bearer <token>`.

- Every path also answers without the prefix `/api`; a trailing slash makes no difference; HEAD works where GET does.
- Bodies are JSON or forms. Strings are trimmed and an empty one is as good as none. Unknown fields are ignored, so a
  whole answer may be sent back; `s3_region` and `s3_endpoint` are taken for the request's own names then.
- Every refusal is JSON with `error` and `message`, whatever `Accept` says.
- Requests are counted per user, over all tokens; every authenticated answer says where the count stands.
"""
_HEADERS: dict[str, tuple[str, Schema]] = {
    "X-RateLimit-Limit": ("How many requests a window allows.", {"type": "integer"}),
    "X-RateLimit-Remaining": ("How many are left in this window.", {"type": "integer"}),
    "X-RateLimit-Reset": ("The second (since 1970) at which the window ends.", {"type": "integer"}),
    "Retry-After": ("For how many seconds to wait.", {"type": "integer"}),
    "ETag": ("Names this answer, for `If-None-Match` and `If-Match`.", {"type": "string"}),
    "WWW-Authenticate": ("How to authenticate.", {"const": "Bearer"}),
    "Location": ("The address of the new destination.", {"type": "string", "format": "uri"}),
    REPLAYED: ("That the answer is the first one under the Idempotency-Key, given again.", {"const": "true"}),
    "Preference-Applied": ("Which preference was followed.", {"const": "return=minimal"}),
}
_ABOUT_KEYS = (
    f"A text of the client's own, 1 to {MAX_LENGTH} visible characters of ASCII, bare or quoted. A request that is "
    "repeated under its key is carried out once, and answered as the first time."
)
_KEY: Schema = {"type": "string", "pattern": f"^[!#-~][!-~]{{0,{MAX_LENGTH - 1}}}$"}
_COUNTED = ("X-RateLimit-Limit", "X-RateLimit-Remaining")


def describe(base: str = "/") -> dict[str, Any]:
    """The document, for a gateway whose root is `base`, an absolute URL or a path."""
    examples = json.loads(_EXAMPLES.read_text("utf-8")) | {"grant_access": EXAMPLE}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Moorings REST API",
            "version": version("moorings"),
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base}],
        "security": [{"bearer": []}],
        "tags": [{"name": "Backup destinations"}],
        "paths": {f"/api{path}": _path_item(path, methods, examples) for path, methods in ENDPOINTS.items()},
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "7|mrg_…"}},
            "headers": {
                name: {"description": description, "schema": schema} for name, (description, schema) in _HEADERS.items()
            },
            "schemas": answers() | requests(form=False) | requests(form=True) | grant_schemas() | problems(),
        },
    }


def ability_of(path: str, method: str) -> Ability:
    """What a token must allow for an operation."""
    return Ability.USE if path.endswith(_GRANTS) else ABILITIES[method]


def _path_item(path: str, methods: Mapping[str, Any], examples: Mapping[str, Any]) -> dict[str, Any]:
    described = {method: endpoint for method, endpoint in methods.items() if method in ABILITIES}
    item: dict[str, Any] = {} if "{id}" not in path else {"parameters": [_ID_PARAMETER]}
    for method, endpoint in described.items():
        item[method.lower()] = _operation(path, method, endpoint, examples[endpoint.__name__])
    return item


_ID_PARAMETER = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The destination's `id`; anything but a positive integer is one that is not there.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    "example": 1,
}


def _operation(path: str, method: str, endpoint: Any, example: Mapping[str, Any]) -> dict[str, Any]:
    summary, *more = re.split(r"[.;] ", endpoint.__doc__.removesuffix("."), maxsplit=1)
    operation: dict[str, Any] = {
        "operationId": endpoint.__name__,
        "summary": summary,
        "description": " ".join([f"Needs the ability `{ability_of(path, method)}`.", *(f"{part}." for part in more)]),
        "tags": ["Backup destinations"],
        "security": [{"bearer": [ability_of(path, method)]}],
        "parameters": _parameters(path, method),
        "responses": _successes(path, method, {"document": example["answer"]}) | _refusals(path, method),
    }
    if path.endswith(_GRANTS):
        content = {JSON_TYPE: _body(_NEW_GRANT, example["body"]), FORM_TYPE: _body(f"{_NEW_GRANT}Form", FORM_EXAMPLE)}
        operation["requestBody"] = {"required": True, "content": content}
    elif method in _WITH_BODY:
        schema = _WITH_BODY[method]
        operation["requestBody"] = {
            "required": method == "POST",
            "content": {
                JSON_TYPE: _body(schema, example["body"]),
                FORM_TYPE: _body(f"{schema}Form", _as_form(example["body"])),
            },
        }
    return operation


def _body(schema: str, example: object) -> dict[str, Any]:
    return {"schema": reference(schema), "examples": {"document": {"value": example}}}


def _as_form(body: Mapping[str, object]) -> dict[str, object]:
    return {name: str(int(value)) if isinstance(value, bool) else value for name, value in body.items()}


def _parameters(path: str, method: str) -> list[dict[str, Any]]:
    text = "The `ETag` of the destination that the change is meant for; 412 if it is another by now (RFC 9110)."
    expected = {"name": "If-Match", "in": "header", "description": text, "schema": {"type": "string"}}
    key = {"name": HEADER, "in": "header", "description": _ABOUT_KEYS, "schema": _KEY}
    if method == "DELETE":
        text = "`return=minimal` gets 204 without a body instead of the message (RFC 7240)."
        return [{"name": "Prefer", "in": "header", "description": text, "schema": {"type": "string"}}, expected, key]
    if method == "PUT":
        return [expected, key]
    if method != "GET":
        return [key]
    text = "The `ETag` of an answer the client has; 304 without a body while it is still right (RFC 9110)."
    condition = {"name": "If-None-Match", "in": "header", "description": text, "schema": {"type": "string"}}
    if "{id}" in path:
        return [condition]
    lenient = "what is no positive integer counts as not given."
    said = {
        "page": (1, f"Which page, from 1; {lenient} Beyond the last page `data` is empty."),
        "per_page": (DEFAULT_SIZE, f"Items per page, at most {MAX_SIZE}; {lenient}"),
    }
    return [
        {
            "name": name,
            "in": "query",
            "description": description,
            "schema": {"type": ["integer", "string"], "default": default},
        }
        for name, (default, description) in said.items()
    ] + [condition]


def _successes(path: str, method: str, example: Mapping[str, object]) -> dict[str, Any]:
    if method == "DELETE":
        message = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}
        applied = {name: {"$ref": f"#/components/headers/{name}"} for name in ("Preference-Applied", REPLAYED)}
        return {
            "200": _answer("Deleted.", message, example, (REPLAYED, *_COUNTED)),
            "204": {"description": "Deleted, and the message was not wanted.", "headers": applied},
        }
    if path.endswith(_GRANTS):
        return {"201": _answer("Granted.", reference("OneGrant"), example, _COUNTED)}
    if method == "POST":
        made = _answer("Created.", reference("OneDestination"), example, ("Location", REPLAYED, *_COUNTED))
        parameters = {"id": "$response.body#/data/id"}
        links = {name: {"operationId": f"{name}_destination", "parameters": parameters} for name in _FOLLOW}
        return {"201": {**made, "links": links}}
    described = ("The destination.", "OneDestination") if "{id}" in path else ("A page, by `id`.", "PageOfDestinations")
    kept = {name: {"$ref": f"#/components/headers/{name}"} for name in ("ETag", *_COUNTED)}
    return {
        "200": _answer(described[0], reference(described[1]), example, (_FOR[method], *_COUNTED)),
        "304": {"description": "What the client has is still right.", "headers": kept},
    }


_FOR = {"GET": "ETag", "PUT": REPLAYED}
_FOLLOW = ("show", "update", "delete")


def _refusals(path: str, method: str) -> dict[str, Any]:
    """Every refusal this operation can meet, by status, each with what is answered."""
    by_status: dict[str, dict[str, Any]] = {}
    of_row, takes_body = "{id}" in path, method in _WITH_BODY
    own = refusals() if path.endswith(_GRANTS) else None
    ability = ability_of(path, method)
    for name, refused in every_refusal(ability, of_row=of_row, takes_body=takes_body, own=own).items():
        body = orjson.loads(bytes(refused.body))
        invalid = "ValidationProblem" if own is None else "GrantValidationProblem"
        schema = reference(invalid if "errors" in body else "Problem")
        counted = _COUNTED if refused.status_code not in (401, 500, 503) else ()
        headers = [header for header in _HEADERS if header in refused.headers or header in counted]
        answer = _answer(f"{body['error']}.", schema, {}, headers)
        described = by_status.setdefault(str(refused.status_code), answer)
        described["content"][JSON_TYPE]["examples"][name] = {"value": body}
    return dict(sorted(by_status.items()))


def _answer(description: str, schema: Schema, examples: Mapping[str, object], headers: Iterable[str]) -> dict[str, Any]:
    content = {"schema": schema, "examples": {name: {"value": value} for name, value in examples.items()}}
    return {
        "description": description,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {JSON_TYPE: content},
    }
