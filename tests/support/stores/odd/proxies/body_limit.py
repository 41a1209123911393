"""nginx before the store takes no body of more than a megabyte."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckDepth, CheckField, CheckHint, CheckStepName
from tests.support.stores.odd.odd_store import PAGE, OddStore
from tests.support.stores.peers import ReceivedRequest, answer


async def _limited(asked: ReceivedRequest) -> bytes | None:
    if len(asked.body) > 1_048_576:
        return answer("413 Request Entity Too Large", PAGE, server="nginx/1.21.3")
    if asked.method == "POST":
        return answer("200 OK", b"<R><UploadId>an-id</UploadId></R>")
    return answer("204 No Content") if "uploadId" in asked.target else None


STORE = OddStore(
    source="https://github.com/uc-cdis/gen3-helm/pull/596",
    override=_limited,
    step=CheckStepName.MULTIPART,
    code=CheckCode.NOT_SUPPORTED,
    field=CheckField.ENDPOINT,
    hint=CheckHint.PROXY_REFUSES,
    depth=CheckDepth.MULTIPART,
)
