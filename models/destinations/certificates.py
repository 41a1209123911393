"""The form of a bundle of public certificates in PEM (RFC 7468)."""

from __future__ import annotations

import re
import ssl

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_BETWEEN = re.compile(r"(?:\s|^#[^\n]*$)*", re.MULTILINE)


def are_certificates(text: str) -> bool:
    """Whether the text is one certificate or several and nothing else, but for blank lines and comments (`#`)."""
    if not _BLOCK.search(text) or not _BETWEEN.fullmatch(_BLOCK.sub("\n", text)):
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        return False
    return True
