"""This door's names: request fields to attributes, rows to objects, query parameters to numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from models.attributes import cleaned
from models.destination_row import FIELDS as FIELD_NAMES
from models.destination_row import DestinationRow
from models.kinds import KINDS, Attribute, DestinationKind
from models.pagination import DEFAULT_SIZE, MAX_NUMBER, MAX_SIZE
from models.written_moments import WRITTEN

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
    match attribute:
        case Attribute.KIND:
            value = cleaned(value)
            return _KINDS.get(value, value) if isinstance(value, str) else value
        case Attribute.PATH_STYLE_ENDPOINT:
            return _boolean(cleaned(value))
        case _:
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


_AMAZON_S3, _CUSTOM_S3, _LOCAL = (
    (TYPES[kind], KINDS[kind].human_name)
    for kind in (DestinationKind.AMAZON_S3, DestinationKind.CUSTOM_S3, DestinationKind.LOCAL)
)


def represent(row: DestinationRow) -> dict[str, Any]:
    """A row as the document shows it, its keys in the document's order; raises KeyError for a kind nobody knows."""
    return _SHOWN[row[_KIND]](row)


def _show_amazon_s3(row: DestinationRow) -> dict[str, Any]:
    return {
        "id": row[_ID],
        "user_id": row[_USER_ID],
        "label": row[_LABEL],
        "type": _AMAZON_S3[0],
        "type_human": _AMAZON_S3[1],
        "s3_bucket_name": row[_BUCKET_NAME],
        "path_style_endpoint": row[_PATH_STYLE] or False,
        "s3_region": row[_REGION],
        "created_at": WRITTEN[row[_CREATED_AT]],
        "updated_at": WRITTEN[row[_UPDATED_AT]],
    }


def _show_custom_s3(row: DestinationRow) -> dict[str, Any]:
    return {
        "id": row[_ID],
        "user_id": row[_USER_ID],
        "label": row[_LABEL],
        "type": _CUSTOM_S3[0],
        "type_human": _CUSTOM_S3[1],
        "s3_bucket_name": row[_BUCKET_NAME],
        "path_style_endpoint": row[_PATH_STYLE] or False,
        "s3_endpoint": row[_ENDPOINT],
        "created_at": WRITTEN[row[_CREATED_AT]],
        "updated_at": WRITTEN[row[_UPDATED_AT]],
    }


def _show_local(row: DestinationRow) -> dict[str, Any]:
    return {
        "id": row[_ID],
        "user_id": row[_USER_ID],
        "label": row[_LABEL],
        "type": _LOCAL[0],
        "type_human": _LOCAL[1],
        "created_at": WRITTEN[row[_CREATED_AT]],
        "updated_at": WRITTEN[row[_UPDATED_AT]],
    }


def _display(kind: DestinationKind) -> Callable[[DestinationRow], dict[str, Any]]:
    match kind:
        case DestinationKind.AMAZON_S3:
            return _show_amazon_s3
        case DestinationKind.CUSTOM_S3:
            return _show_custom_s3
        case DestinationKind.LOCAL:
            return _show_local
        case _:
            assert_never(kind)


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
