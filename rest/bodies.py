"""Reads a request body, JSON or form, into a mapping of fields; whatever is neither whole nor clear is a 4xx."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException

from web.http.content_coding import ACCEPTED, SENTENCE
from web.http.json_body import JsonRefused, parse_json
from web.http.media_type import FORM_TYPE, JSON_TYPE, parse_media_type

MAX_FORM_FIELDS = 1_000


def parse_body(content_type: str, body: bytes, *, is_encoded: bool = False) -> Mapping[str, object]:
    """The fields of a body; an empty one has none. Raises HTTPException 400 or 415, which an encoded one gets too."""
    if not body:
        return {}
    if is_encoded:
        raise HTTPException(415, SENTENCE, ACCEPTED)
    if content_type == JSON_TYPE:
        return _json_fields(body)
    media_type = parse_media_type(content_type)
    if media_type.name not in (JSON_TYPE, FORM_TYPE) or not media_type.is_utf8:
        raise HTTPException(415, f"The request body must be {JSON_TYPE} or {FORM_TYPE}, in UTF-8.")
    return _json_fields(body) if media_type.name == JSON_TYPE else _form_fields(body)


def _json_fields(body: bytes) -> Mapping[str, object]:
    """orjson is strict about UTF-8, surrogates and NaN, but takes duplicate keys: json's pairs find those."""
    try:
        parse_json(body)
        fields = _DISTINCT.decode(body.decode())
    except JsonRefused as error:
        raise HTTPException(400, f"The request body {error}.") from None
    except ValueError:
        raise HTTPException(400, "The request body is not valid JSON, or repeats a key.") from None
    if not isinstance(fields, dict):
        raise HTTPException(400, "The request body must be a JSON object.")
    return fields


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
