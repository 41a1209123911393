"""Grants in the REST API: the fields of a request, and the signed requests as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from models.grants.access import AccessField, FieldsRefused, PresignedRequest, RawAccess
from models.grants.grants import GrantedAccess

SINGULAR = "operation"
"""What a request may call `operations` where it asks for one."""


_KNOWN = frozenset({SINGULAR, *AccessField})
_MAX_NAMED = 10
_MAX_NAME_LENGTH = 64


def raw_access(fields: Mapping[str, object]) -> RawAccess:
    """The fields of a request body as raw access; raises `FieldsRefused` for one that would have no effect."""
    errors = {
        name[:_MAX_NAME_LENGTH]: [f"The {name[:_MAX_NAME_LENGTH]} field is not one of a grant."]
        for name in islice((name for name in fields if name not in _KNOWN), _MAX_NAMED)
    }
    if SINGULAR in fields and AccessField.OPERATIONS in fields:
        errors[SINGULAR] = [f"The {SINGULAR} field does not go together with {AccessField.OPERATIONS}."]
    if errors:
        raise FieldsRefused(errors)
    raw: dict[AccessField, object] = {name: fields[name] for name in AccessField if name in fields}
    if SINGULAR in fields:
        raw[AccessField.OPERATIONS] = fields[SINGULAR]
    return raw


def represent_grant(granted: GrantedAccess) -> dict[str, Any]:
    """What was granted, its requests in the order in which they were asked for."""
    return {
        "backup_destination_id": granted.row.id,
        "expires_at": granted.expires_at,
        "requests": [_represent(request) for request in granted.requests],
    }


def _represent(request: PresignedRequest) -> dict[str, Any]:
    return {
        "operation": request.operation.value,
        "key": request.key,
        "part_number": request.part_number,
        "method": request.method,
        "url": request.url,
        "headers": request.headers,
    }
