"""Requests that are fine, for the themes to break in one place each."""

import json
from urllib.parse import urlencode

from .case import Case, canary
from .expectations import Expectation

JSON = (("Content-Type", "application/json"),)
FORM = (("Content-Type", "application/x-www-form-urlencoded"),)

COLLECTION = "/api/backup-destinations"
OWN = COLLECTION + "/{own}"
CREATE = ("POST", COLLECTION)
UPDATE = ("PUT", OWN)
UPDATE_S3 = ("PUT", COLLECTION + "/{own_s3}")
UPDATE_LOCAL = ("PUT", COLLECTION + "/{own_local}")
UPDATE_FOREIGN = ("PUT", COLLECTION + "/{foreign}")
UPDATE_MISSING = ("PUT", COLLECTION + "/{missing}")

LOCAL = b'{"label":"Hostile","type":"local"}'


def draft(kind: str, name: str, **changes: object) -> dict[str, object]:
    """Write a valid destination of a kind with credentials of its own, then the changes."""
    payload: dict[str, object] = {"label": "Hostile", "type": kind}
    if kind != "local":
        payload |= {"s3_access_key": canary(f"{name} access"), "s3_secret_key": canary(f"{name} secret")}
        payload |= {"s3_bucket_name": "hostile-bucket"}
    if kind == "s3":
        payload |= {"custom_s3_region": "eu-west-1"}
    if kind == "custom_s3":
        payload |= {"custom_s3_endpoint": "https://s3.example.com"}
    if kind != "local":
        payload |= {"path_style_endpoint": True}
    return payload | changes


def without(payload: dict[str, object], *fields: str) -> dict[str, object]:
    """Leave fields out of a draft."""
    return {field: value for field, value in payload.items() if field not in fields}


def fields(kind: str, name: str, **changes: str) -> dict[str, str]:
    """Write a valid destination the way a form says it."""
    return {field: "1" if value is True else str(value) for field, value in draft(kind, name, **changes).items()}


def sending(
    name: str,
    body: object,
    expectation: Expectation,
    to: tuple[str, str] = CREATE,
    headers: tuple[tuple[str, str], ...] = JSON,
) -> Case:
    """Send a body: bytes as they are, anything else as JSON."""
    method, path = to
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(name=name, method=method, path=path, headers=headers, body=sent, **expectation)


def form(name: str, body: bytes | dict[str, str], expectation: Expectation, to: tuple[str, str] = CREATE) -> Case:
    """Send a form: bytes as they are, a mapping percent-encoded."""
    sent = body if isinstance(body, bytes) else urlencode(body).encode()
    return sending(name, sent, expectation, to, FORM)


def asking(name: str, path: str, expectation: Expectation, headers: tuple[tuple[str, str], ...] = ()) -> Case:
    """GET a path."""
    return Case(name=name, method="GET", path=path, headers=headers, **expectation)
