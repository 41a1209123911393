"""Grants in the REST API: the fields of a request, and the signed requests as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.grants.access import AccessField, PresignedRequest, RawAccess
from models.grants.grants import GrantedAccess

SINGULAR = "operation"
"""What a request may call `operations` where it asks for one."""


def raw_access(fields: Mapping[str, object]) -> RawAccess:
    """The fields of a request body as raw access; what has no name here is left out."""
    raw: dict[AccessField, object] = {name: fields[name] for name in AccessField if name in fields}
    if SINGULAR in fields:
        raw.setdefault(AccessField.OPERATIONS, fields[SINGULAR])
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
