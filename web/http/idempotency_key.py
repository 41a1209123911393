"""The Idempotency-Key of a request: 1 to 255 visible characters of ASCII, bare, or quoted as the IETF's draft has it.

draft-ietf-httpapi-idempotency-key-header: a string of Structured Fields (RFC 9651, 3.3.3). Most clients send it bare;
`abc` and `"abc"` are the same key.
"""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.types import Scope

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_LENGTH = 255
_NAME = HEADER.lower().encode()
_BARE = re.compile(r"[!#-~][!-~]*\Z", re.ASCII)
_QUOTED = re.compile(r'"((?:[!#-\[\]-~]|\\["\\])+)"\Z', re.ASCII)
_ESCAPED = re.compile(r"\\(.)")


def idempotency_key(scope: Scope) -> str | None:
    """The key of a request, None without one; raises `HTTPException` (400) for one that is malformed."""
    values = [value for name, value in scope["headers"] if name == _NAME]
    if not values:
        return None
    if len(values) > 1:
        raise malformed()
    return parse_key(values[0].decode("latin-1"))


def parse_key(text: str) -> str:
    """The key that a text stands for; raises `HTTPException` (400)."""
    text = text.strip(" \t")
    quoted = _QUOTED.match(text)
    key = _ESCAPED.sub(r"\1", quoted[1]) if quoted else text if _BARE.match(text) else ""
    if not 0 < len(key) <= MAX_LENGTH:
        raise malformed()
    return key


def malformed() -> HTTPException:
    """The refusal of a key that is none."""
    return HTTPException(400, f"An {HEADER} is one string of 1 to {MAX_LENGTH} visible characters of ASCII.")
