"""Neither chunks of AWS nor newer checksums are known; a check sends none."""

from __future__ import annotations

from tests.support.stores.odd.odd_store import OddStore
from tests.support.stores.peers import ReceivedRequest, error


async def _older(asked: ReceivedRequest) -> bytes | None:
    if "aws-chunked" in asked.headers.get("content-encoding", "") or "content-length" not in asked.headers:
        return error("411 Length Required", "MissingContentLength") if asked.method == "PUT" else None
    if any(name.startswith(("x-amz-checksum-", "x-amz-trailer", "x-amz-sdk-checksum")) for name in asked.headers):
        return error("501 Not Implemented", "NotImplemented")
    return None


STORE = OddStore(
    source="https://github.com/storj/gateway-st/issues/89",
    override=_older,
)
