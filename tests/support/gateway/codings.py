"""Bodies out of their content codings."""

from __future__ import annotations

import gzip

from web.compression.codings import zstd


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
