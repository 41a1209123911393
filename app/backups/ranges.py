"""The ETag of an object, and the parts it may have been made of: so that what is got can be verified."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.backups.source import new_md5
from models.grants.access import MAX_PARTS

RANGE_BYTES = 64 << 20
_MIB = 1 << 20
USUAL_PART_BYTES = tuple(size * _MIB for size in (64, 8, 16, 5, 10, 15, 32, 50, 100, 128, 256, 512, 1024))
"""Sizes of the parts that programs make, our own first."""
_MD5_ETAG = re.compile(r'"([0-9a-f]{32})(?:-([1-9][0-9]{0,4}))?"')


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectFacts:
    """What the store says of an object before it is got."""

    size: int
    etag: str
    md5: str | None
    """The MD5 digest of the whole object; None where its ETag is none."""
    md5_of_parts: str | None
    """The MD5 digest of the digests of its parts."""
    parts: int

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> ObjectFacts:
        """Read the headers of a HEAD; raises `ValueError` where the size is missing."""
        etag = headers.get("etag", "")
        found = _MD5_ETAG.fullmatch(etag)
        is_encrypted = headers.get("x-amz-server-side-encryption", "AES256") != "AES256" or any(
            name.startswith("x-amz-server-side-encryption-customer") for name in headers
        )
        digest, parts = (None, None) if found is None or is_encrypted else (found[1], found[2])
        return cls(
            size=int(headers["content-length"]) if "content-length" in headers else _missing(),
            etag=etag,
            md5=digest if parts is None else None,
            md5_of_parts=digest if parts is not None else None,
            parts=int(parts or 1),
        )

    @property
    def range_bytes(self) -> int:
        """How many bytes to get at once: those of a part where the ETag is of several, to compare the digests."""
        return next(iter(self.possible_part_bytes), RANGE_BYTES)

    @property
    def possible_part_bytes(self) -> Sequence[int]:
        """The sizes that its parts may have, the likeliest first."""
        if self.md5_of_parts is None or not self.size:
            return ()
        ours = max(RANGE_BYTES, -(-self.size // MAX_PARTS))
        candidates = dict.fromkeys((ours, *USUAL_PART_BYTES))
        if self.parts == 1:
            return (self.size,)
        return [size for size in candidates if -(-self.size // size) == self.parts]

    def is_made_of(self, digests: Sequence[bytes]) -> bool:
        """Whether the digests of parts are those that the ETag was made of."""
        md5 = new_md5()
        for digest in digests:
            md5.update(digest)
        return len(digests) == self.parts and md5.hexdigest() == self.md5_of_parts


def _missing() -> int:
    raise ValueError("the store does not say how large the object is")
