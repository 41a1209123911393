"""Canaries: secrets that nobody else has, and a finder that knows them in any spelling, whole or in part."""

from __future__ import annotations

import base64
import json
import secrets
import string
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

MARK_LENGTH = 12
LENGTH = 40
_LETTERS = string.ascii_letters + string.digits


class Canaries:
    """Secrets of 40 characters that begin and end with one mark, so that a part of one is found as well."""

    def __init__(self) -> None:
        # As in real secret keys, some characters are spelt otherwise in a URL, in JSON and in base64url.
        self.mark = f"{_random(5)}/{_random(3)}+{_random(2)}"
        self.made = 0

    def new(self) -> str:
        """One that was never sent before."""
        self.made += 1
        return self.mark + _random(LENGTH - 2 * MARK_LENGTH) + self.mark


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def spellings(secret: str) -> Mapping[str, bytes]:
    """How a text may show up in bytes: the name of each spelling, and what to look for."""
    plain, quoted = secret.encode(), quote(secret, safe="")
    found = {
        "plain": plain,
        "lower case": plain.lower(),
        "upper case": plain.upper(),
        "reversed": plain[::-1],
        "JSON": json.dumps(secret).strip('"').replace("/", "\\/").encode(),
        "hex": plain.hex().encode(),
        "HEX": plain.hex().upper().encode(),
        "URL": quoted.encode(),
        "url": quoted.lower().encode(),
        "UTF-16": secret.encode("utf-16-le"),
    }
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + plain)
        # Only the characters that are made of the secret's bits alone are the same wherever it stands.
        inner = encoded[-(-shift * 8 // 6) : (shift + len(plain)) * 8 // 6]
        found[f"base64 at {shift}"] = inner
        found[f"base64url at {shift}"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    return found


class Finder:
    """Looks for secrets in any spelling."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._spellings = [spelling for text in texts for spelling in spellings(text).items()]

    def hits(self, haystack: bytes) -> Iterator[str]:
        """The spelling of each secret that is there, and what stands before it."""
        for name, spelling in self._spellings:
            at = haystack.find(spelling)
            if at >= 0:
                yield f"{name} after {haystack[max(0, at - 80) : at]!r}"
