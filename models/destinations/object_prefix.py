"""The form of a prefix of object names, below which everything lies that a check touches."""

from __future__ import annotations

MAX_BYTES = 900
"""In UTF-8. The key of an object has at most 1,024 bytes, and the check adds 49."""


def is_object_prefix(text: str) -> bool:
    """Whether the text can be the beginning of object names; a slash at its end makes no difference.

    An empty, `.` or `..` part between slashes is a name that clients, proxies and gateways normalize differently.
    """
    if not text.isprintable() or len(text.encode()) > MAX_BYTES:
        return False
    parts = text.removesuffix("/").split("/")
    return not any(part in ("", ".", "..") for part in parts)
