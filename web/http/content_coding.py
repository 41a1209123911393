"""The coding of a request's body (RFC 9110, 8.4): none but `identity` is taken."""

from __future__ import annotations

from collections.abc import Iterable

ACCEPTED = {"Accept-Encoding": "identity"}
"""The header of a 415 that says which codings would have been taken (RFC 9110, 15.5.16)."""
SENTENCE = "The request body must not be compressed: send it without Content-Encoding."


def is_encoded(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the headers, with names in lower case, say that the body has another coding."""
    values = [value for name, value in headers if name == b"content-encoding"]
    return any(coding.strip().lower() not in (b"", b"identity") for value in values for coding in value.split(b","))
