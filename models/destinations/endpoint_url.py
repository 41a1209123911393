"""Says whether a text is the URL of an S3-compatible store: absolute http(s), with a host, no user info, no fragment.

Pure syntax: whether the address behind it may be spoken to is judged when it is spoken to.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\<>\"{}|^`#]")
_SPACE = re.compile(r"\s")
_BRACKETED = re.compile(r"\[[^\[\]]*\](:[0-9]*)?")
_HOST_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
_MAX_HOST_LENGTH = 253


def is_endpoint_url(text: str) -> bool:
    """Whether `text` is an absolute http or https URL with a host that can be looked up and a port in range."""
    if _FORBIDDEN.search(text) or _SPACE.search(text):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    # Python reads past whatever follows the bracket.
    if parts.netloc.startswith("[") and not _BRACKETED.fullmatch(parts.netloc):
        return False
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or port == 0:
        return False
    return parts.hostname is not None and _is_host(parts.hostname, bracketed=parts.netloc.startswith("["))


def _is_host(host: str, *, bracketed: bool) -> bool:
    if bracketed:
        try:
            return ipaddress.IPv6Address(host).scope_id is None
        except ValueError:
            return False
    try:
        encoded = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    name = encoded.removesuffix(".")
    return 0 < len(name) <= _MAX_HOST_LENGTH and all(_HOST_LABEL.fullmatch(label) for label in name.split("."))
