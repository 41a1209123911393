"""501 to ListObjectsV2; the older form is known."""

from __future__ import annotations

from tests.support.stores.odd.odd_store import OddStore, is_listing
from tests.support.stores.peers import LISTING, ReceivedRequest, answer, error


async def _older(asked: ReceivedRequest) -> bytes | None:
    if "list-type=2" in asked.target:
        return error("501 Not Implemented", "NotImplemented")
    return answer("200 OK", LISTING) if is_listing(asked) else None


STORE = OddStore(
    source="https://github.com/gaul/s3proxy/issues/168",
    override=_older,
)
