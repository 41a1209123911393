"""The names of the REST API: request fields to attributes, rows to objects, query parameters to numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from models.destinations.attributes import KINDS, Attribute, DestinationKind, ValueType
from models.destinations.row import FIELDS as FIELD_NAMES
from models.destinations.row import DestinationRow
from models.pagination import DEFAULT_SIZE, MAX_NUMBER, MAX_SIZE
from models.text import cleaned

FIELDS = {
    Attribute.LABEL: "label",
    Attribute.KIND: "type",
    Attribute.ACCESS_KEY: "s3_access_key",
    Attribute.SECRET_KEY: "s3_secret_key",
    Attribute.BUCKET_NAME: "s3_bucket_name",
    Attribute.REGION: "custom_s3_region",
    Attribute.ENDPOINT: "custom_s3_endpoint",
    Attribute.PATH_STYLE_ENDPOINT: "path_style_endpoint",
}
"""What a request calls an attribute, in the document's words."""

ALIASES = {Attribute.REGION: "s3_region", Attribute.ENDPOINT: "s3_endpoint"}
"""What an answer calls it, accepted from clients that send an answer back; the request's own name wins."""

TYPES = {
    DestinationKind.AMAZON_S3: "s3",
    DestinationKind.CUSTOM_S3: "custom_s3",
    DestinationKind.LOCAL: "local",
}

_KINDS = {name: kind for kind, name in TYPES.items()}
_BOOLEANS = {"1": True, "0": False}
_INTEGER = re.compile(r"[1-9][0-9]*")
_LONGEST_INTEGER = 19


def raw_attributes(fields: Mapping[str, object]) -> dict[Attribute, object]:
    """The fields of a request body as raw attributes; what has no name here is left out."""
    raw = {}
    for attribute, own_name in FIELDS.items():
        name = own_name if own_name in fields else ALIASES.get(attribute, own_name)
        if name in fields:
            raw[attribute] = _raw(attribute, fields[name])
    return raw


def _raw(attribute: Attribute, value: object) -> object:
    match attribute.rules.type:
        case ValueType.KIND:
            value = cleaned(value)
            return _KINDS.get(value, value) if isinstance(value, str) else value
        case ValueType.BOOLEAN:
            return _boolean(cleaned(value))
        case ValueType.TEXT | ValueType.URL | ValueType.OBJECT_PREFIX | ValueType.CERTIFICATES:
            return value


def _boolean(value: object) -> object:
    """`1`, `0`, `"1"` and `"0"` as booleans; anything else stays what it is."""
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    return _BOOLEANS.get(value, value) if isinstance(value, str) else value


_AT = {name: position for position, name in enumerate(FIELD_NAMES)}
_ID, _USER_ID, _LABEL, _KIND = (_AT[name] for name in ("id", "user_id", "label", "stored_kind"))
_BUCKET_NAME, _REGION, _ENDPOINT = (_AT[name] for name in ("bucket_name", "region", "endpoint"))
_PATH_STYLE, _CREATED_AT, _UPDATED_AT = (_AT[name] for name in ("path_style_endpoint", "created_at", "updated_at"))


def represent(row: DestinationRow) -> dict[str, Any]:
    """A row as the document shows it, its keys in the document's order; raises KeyError for an unknown kind."""
    return _SHOWN[row[_KIND]](row)


def _display(kind: DestinationKind) -> Callable[[DestinationRow], dict[str, Any]]:
    """What shows a row of that kind, with one look at each column."""
    match kind:
        case DestinationKind.AMAZON_S3:
            return _bucket_display(kind, "s3_region", _REGION)
        case DestinationKind.CUSTOM_S3:
            return _bucket_display(kind, "s3_endpoint", _ENDPOINT)
        case DestinationKind.LOCAL:
            return _local_display(kind)
        case _:
            assert_never(kind)


def _bucket_display(kind: DestinationKind, where: str, column: int) -> Callable[[DestinationRow], dict[str, Any]]:
    """`where` is what the answer calls the column that says where the bucket is."""
    type_, human_name = TYPES[kind], KINDS[kind].human_name

    def show(row: DestinationRow) -> dict[str, Any]:
        return {
            "id": row[_ID],
            "user_id": row[_USER_ID],
            "label": row[_LABEL],
            "type": type_,
            "type_human": human_name,
            "s3_bucket_name": row[_BUCKET_NAME],
            "path_style_endpoint": row[_PATH_STYLE] or False,
            where: row[column],
            "created_at": row[_CREATED_AT],
            "updated_at": row[_UPDATED_AT],
        }

    return show


def _local_display(kind: DestinationKind) -> Callable[[DestinationRow], dict[str, Any]]:
    type_, human_name = TYPES[kind], KINDS[kind].human_name

    def show(row: DestinationRow) -> dict[str, Any]:
        return {
            "id": row[_ID],
            "user_id": row[_USER_ID],
            "label": row[_LABEL],
            "type": type_,
            "type_human": human_name,
            "created_at": row[_CREATED_AT],
            "updated_at": row[_UPDATED_AT],
        }

    return show


_SHOWN = {kind.value: _display(kind) for kind in DestinationKind}
"""One display for each kind: of reading a page, showing its rows is the largest part that is ours."""


def destination_id(text: str) -> int | None:
    """The id in a path; None for anything but a plain positive integer."""
    return int(text) if _INTEGER.fullmatch(text) and len(text) <= _LONGEST_INTEGER else None


def page_number(text: str | None) -> int:
    """The `page` parameter; 1 for anything but an integer from 1 to 2^63 - 1."""
    number = _positive(text)
    return number if number is not None and number <= MAX_NUMBER else 1


def page_size(text: str | None) -> int:
    """The `per_page` parameter, at most 100; 15 for anything but an integer from 1."""
    size = _positive(text)
    return DEFAULT_SIZE if size is None else min(size, MAX_SIZE)


def _positive(text: str | None) -> int | None:
    """A positive integer in ASCII digits; one too long to count is as good as the greatest."""
    if text is None or not _INTEGER.fullmatch(text.strip(" ")):
        return None
    digits = text.strip(" ")
    return int(digits) if len(digits) <= _LONGEST_INTEGER else 10**_LONGEST_INTEGER
