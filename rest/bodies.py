"""Reads a request body, JSON or form, into a mapping of fields; whatever is neither whole nor clear is a 4xx."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import orjson
from starlette.exceptions import HTTPException

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
MAX_DEPTH = 32
MAX_FORM_FIELDS = 1_000


def parse_body(content_type: str, body: bytes) -> Mapping[str, object]:
    """The fields of a body; an empty one has none. Raises HTTPException 400 or 415."""
    if not body:
        return {}
    if content_type == JSON_TYPE:
        return _json_fields(body)
    media_type, charset = _media_type(content_type)
    if media_type not in (JSON_TYPE, FORM_TYPE) or charset not in ("", "utf-8", "utf8"):
        raise HTTPException(415, f"The request body must be {JSON_TYPE} or {FORM_TYPE}, in UTF-8.")
    return _json_fields(body) if media_type == JSON_TYPE else _form_fields(body)


def _media_type(content_type: str) -> tuple[str, str]:
    """The type and the charset of a Content-Type header, both in lower case (RFC 9110, 8.3.1)."""
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    values = dict(parameter.partition("=")[::2] for parameter in parameters)
    return media_type, values.get("charset", "").strip('"')


def _json_fields(body: bytes) -> Mapping[str, object]:
    """orjson is strict about UTF-8, surrogates and NaN, but takes duplicate keys: json's pairs find those."""
    try:
        if _is_deeper(orjson.loads(body), MAX_DEPTH):
            raise HTTPException(400, f"The request body is nested deeper than {MAX_DEPTH} levels.")
        fields = _DISTINCT.decode(body.decode())
    except ValueError:
        raise HTTPException(400, "The request body is not valid JSON, or repeats a key.") from None
    if not isinstance(fields, dict):
        raise HTTPException(400, "The request body must be a JSON object.")
    return fields


def _is_deeper(value: object, levels: int) -> bool:
    """Whether containers are nested deeper than `levels`; goes through the text's nesting level by level."""
    level: list[object] = [value]
    for _ in range(levels + 1):
        containers = [v for v in level if isinstance(v, dict | list)]
        if not containers:
            return False
        level = [inner for v in containers for inner in (v.values() if isinstance(v, dict) else v)]
    return True


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("duplicate key")
    return fields


def _any_number(digits: str) -> int | float:
    """No field takes an integer beyond a bit, so a long one need not be exact; Python refuses to read 5,000 digits."""
    return int(digits) if len(digits) < 20 else float("inf")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_DISTINCT = json.JSONDecoder(object_pairs_hook=_distinct, parse_int=_any_number, parse_constant=_no_constant)


def _form_fields(body: bytes) -> Mapping[str, object]:
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=MAX_FORM_FIELDS,
        )
        return _distinct(pairs)
    except ValueError:
        raise HTTPException(400, "The request body is not a valid form, or repeats a field.") from None
