"""What an `Accept-Encoding` asks for (RFC 9110, 12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from models.short_memo import memo_of_short

GZIP, ZSTD = b"gzip", b"zstd"
NAME = b"accept-encoding"
MIN_BYTES = 1_024
"""A smaller body is sent as it is: with its head of some 500 bytes it fits into one packet either way."""
MAX_BYTES = 1024 * 1024
"""A larger body is sent as it is: compressing it would hold the event loop. No answer is larger by default."""
_LONGEST = 256
"""Of a value that is looked at; clients send some 30 bytes."""
_MEMBER = re.compile(r"([!#$%&'*+.^_`|~0-9a-z-]+)[ \t]*(?:;[ \t]*q[ \t]*=[ \t]*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?\Z")


class Wanted(NamedTuple):
    """The form in which a client that sent the header wants its answers."""

    coding: bytes
    """Empty for the body as it is."""
    min_bytes: int = MIN_BYTES

    def takes(self, size: int) -> bool:
        """Whether a body of `size` bytes is sent in the coding."""
        return bool(self.coding) and self.min_bytes <= size <= MAX_BYTES


AS_IS = Wanted(b"")


def wanted_by(headers: Sequence[tuple[bytes, bytes]]) -> Wanted | None:
    """What a request wants; None where it does not say, and then nothing of its answer may differ."""
    values = [value for name, value in headers if name == NAME]
    return wanted(b", ".join(values)) if values else None


@memo_of_short(128, 256)
def wanted(value: bytes) -> Wanted:
    """What the value of the header asks for.

    The coding that the client weighs most, of two alike zstd, which is made in a fifth of the time. zstd only where it
    is named, since not every client that says `*` knows it. Where the client refuses the body as it is, a small one is
    sent in the coding too. A value that cannot be read, or refuses all there is, gets the body as it is.
    """
    weights = weights_of(value)
    others = weights.get("*", 0.0)
    gzip, zstd = weights.get("gzip", weights.get("x-gzip", others)), weights.get("zstd", 0.0)
    best = max(gzip, zstd)
    if best == 0.0 or best < weights.get("identity", others):
        return AS_IS
    refuses_plain = weights.get("identity", weights.get("*", 1.0)) == 0.0
    return Wanted(ZSTD if zstd == best else GZIP, 0 if refuses_plain else MIN_BYTES)


def weights_of(value: bytes) -> dict[str, float]:
    """The weight from 0 to 1 of each coding that a value names, in lower case; a malformed one counts as refused."""
    weights: dict[str, float] = {}
    if len(value) > _LONGEST:
        return weights
    for member in value.decode("latin-1").lower().split(","):
        found = _MEMBER.match(member.strip(" \t"))
        name = found[1] if found else member.partition(";")[0].strip(" \t")
        weight = float(found[2] or 1) if found else 0.0
        if name:
            weights[name] = min(weight, weights.get(name, 1.0))
    return weights
