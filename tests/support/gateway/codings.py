"""Bodies out of their content codings."""

from __future__ import annotations

import gzip
import sys

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd


def decoded(body: bytes, coding: bytes | None) -> bytes:
    """A body as it was before it was compressed; without a coding it is what it is."""
    match coding:
        case b"gzip":
            return gzip.decompress(body)
        case b"zstd":
            return zstd.decompress(body)
        case _:
            assert not coding
            return body
