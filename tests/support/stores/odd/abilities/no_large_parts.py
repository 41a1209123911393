"""Parts of 5 MiB are refused, small objects taken."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckDepth, CheckHint, CheckStepName
from tests.support.stores.odd.odd_store import OddStore
from tests.support.stores.peers import ReceivedRequest, answer, error


async def _small(asked: ReceivedRequest) -> bytes | None:
    if len(asked.body) >= 5 * 1_048_576:
        return error("400 Bad Request", "EntityTooLarge")
    if asked.method == "POST":
        return answer("200 OK", b"<R><UploadId>an-id</UploadId></R>")
    return answer("204 No Content") if "uploadId" in asked.target else None


STORE = OddStore(
    source="https://github.com/pterodactyl/panel/issues/2905",
    override=_small,
    step=CheckStepName.MULTIPART,
    code=CheckCode.NOT_SUPPORTED,
    hint=CheckHint.MULTIPART_UNKNOWN,
    store_code="EntityTooLarge",
    depth=CheckDepth.MULTIPART,
)
