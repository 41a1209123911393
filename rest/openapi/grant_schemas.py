"""The JSON Schemas of grants, and what the operation that makes them answers, made from the tables of the domain."""

from __future__ import annotations

from typing import Any

from models.checks.report import CheckCode
from models.errors import DestinationNotGrantable, Refusal
from models.grants.access import (
    LONGEST_LIFETIME,
    MAX_KEY_BYTES,
    MAX_LISTED,
    MAX_OBJECT_BYTES,
    MAX_PARTS,
    MAX_REQUESTS,
    AccessField,
    AccessInvalid,
    GrantOperation,
    StoreNotUsable,
    parse_access,
)

Schema = dict[str, Any]

_KEY: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_KEY_BYTES,
    "pattern": r"^(?!(.*/)?\.{1,2}(/|$))[^\u0000-\u001f\u007f-\u009f]+$",
}
_TOKEN: Schema = {"type": "string", "pattern": r"^[!-~]{1,1024}$"}
_MD5: Schema = {"type": "string", "pattern": "^[A-Za-z0-9+/]{21}[AQgw]==$"}
_MEDIA_TYPE: Schema = {"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"}
_DESCRIPTIONS: dict[AccessField, tuple[Schema, str]] = {
    AccessField.KEY: (_KEY, f"The key of one object, at most {MAX_KEY_BYTES} bytes in UTF-8, kept exactly as given."),
    AccessField.KEYS: (
        {"type": "array", "items": _KEY, "minItems": 1, "maxItems": MAX_REQUESTS},
        "The keys of several objects, all of which begin with `prefix`.",
    ),
    AccessField.PREFIX: (
        _KEY,
        "What the keys begin with, and what `list` lists; a list without it is that of the whole bucket.",
    ),
    AccessField.CONTENT_TYPE: (_MEDIA_TYPE, "The media type of the object; the store refuses any other."),
    AccessField.CONTENT_MD5: (_MD5, "The MD5 digest of the body in base64; the store refuses any other body."),
    AccessField.UPLOAD_ID: (_TOKEN, "The id of an upload in parts, as the store gave it."),
    AccessField.DELIMITER: (_KEY, "Lists keys up to its next occurrence only once, such as `/`."),
    AccessField.START_AFTER: (_KEY, "Lists what comes after this key."),
    AccessField.CONTINUATION_TOKEN: (_TOKEN, "Lists the next page, by the token that came with the last one."),
}
_EXAMPLE_URL = (
    "https://custom-s3.example.com/custom-backups/db.dump?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=your_access_key%2F20240807%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20240807T000000Z"
    "&X-Amz-Expires=900&X-Amz-SignedHeaders=content-length%3Bhost&X-Amz-Signature=<64 hexadecimal digits>"
)
EXAMPLE: dict[str, Any] = {
    "body": {"operations": ["put"], "key": "db.dump", "content_length": 1_048_576},
    "answer": {
        "data": {
            "backup_destination_id": 2,
            "expires_at": "2024-08-07T00:15:00Z",
            "requests": [
                {
                    "operation": "put",
                    "key": "db.dump",
                    "part_number": None,
                    "method": "PUT",
                    "url": _EXAMPLE_URL,
                    "headers": {"content-length": "1048576"},
                }
            ],
        }
    },
}
FORM_EXAMPLE = {"operation": "put", "key": "db.dump", "content_length": "1048576"}


def grant_schemas() -> dict[str, Schema]:
    """What is sent, as JSON and as a form, and what comes back."""
    return {"NewGrant": _new(), "NewGrantForm": _new_form(), "OneGrant": _whole({"data": _granted()})}


def refusals() -> dict[str, Refusal]:
    """What grants alone can meet, by a name for each."""
    return {
        "local destination": DestinationNotGrantable(),
        "address not allowed": StoreNotUsable(CheckCode.ENDPOINT_NOT_ALLOWED),
        "unknown host": StoreNotUsable(CheckCode.DNS_FAILURE),
        "broken rules": _invalid(),
    }


def _invalid() -> AccessInvalid:
    try:
        parse_access({AccessField.OPERATIONS: ["put"], AccessField.KEY: "../db.dump"})
    except AccessInvalid as refusal:
        return refusal
    raise AssertionError("a key that leads out of its prefix was taken")


def _new() -> Schema:
    """Which fields belong together is described by the operations they need; `operation` stands for one of them."""
    names = {"enum": [operation.value for operation in GrantOperation]}
    properties: Schema = {
        "operations": {
            "type": "array",
            "items": names,
            "minItems": 1,
            "description": f"What to do: every operation on every object is a request, at most {MAX_REQUESTS} in all.",
        },
        "operation": {**names, "description": "Where one is wanted, in place of `operations`."},
        **{name.value: {**schema, "description": text} for name, (schema, text) in _DESCRIPTIONS.items()},
        "expires_in": _integer(
            1,
            int(LONGEST_LIFETIME.total_seconds()),
            "For how many seconds; 900 if left out, at most what the operator allows.",
        ),
        "content_length": _integer(0, MAX_OBJECT_BYTES, "The size of the body in bytes; the store refuses any other."),
        "part_numbers": {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": MAX_PARTS},
            "minItems": 1,
            "maxItems": MAX_REQUESTS,
            "description": "The numbers of parts of an upload.",
        },
        "max_keys": _integer(1, MAX_LISTED, "Lists this many at most."),
    }
    either = [{"required": ["operations"]}, {"required": ["operation"]}]
    return {"type": "object", "properties": properties, "oneOf": either, "additionalProperties": False}


def _new_form() -> Schema:
    """A form has no lists: one operation, on one object or on a list."""
    numbers = ("expires_in", "content_length", "part_numbers", "max_keys")
    properties: Schema = {
        "operation": {"enum": [operation.value for operation in GrantOperation], "description": "What to do."},
        **{
            name.value: {**schema, "description": text}
            for name, (schema, text) in _DESCRIPTIONS.items()
            if name is not AccessField.KEYS
        },
        **{name: {"type": "string", "pattern": "^[0-9]{1,10}$", "description": "As in JSON."} for name in numbers},
    }
    return {"type": "object", "properties": properties, "additionalProperties": False, "required": ["operation"]}


def _granted() -> Schema:
    request = _whole(
        {
            "operation": {"enum": [operation.value for operation in GrantOperation]},
            "key": {"type": ["string", "null"], "description": "Null for a list."},
            "part_number": {"type": ["integer", "null"], "description": "Null for all but parts of an upload."},
            "method": {"enum": ["GET", "HEAD", "PUT", "POST", "DELETE"]},
            "url": {
                "type": "string",
                "description": "Holds the access key and a signature: whoever has it can send the request until then.",
            },
            "headers": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "Have to be sent as they are; others may be.",
            },
        }
    )
    return _whole(
        {
            "backup_destination_id": {"type": "integer", "minimum": 1},
            "expires_at": {
                "type": "string",
                "format": "date-time",
                "description": "Until when the store takes the requests, also when the token is revoked before.",
            },
            "requests": {"type": "array", "items": request, "minItems": 1, "maxItems": MAX_REQUESTS},
        }
    )


def _integer(least: int, most: int, description: str) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}


def _whole(properties: Schema) -> Schema:
    """An object that has all of these and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
