"""An error in chunks, as AWS sends it, cut within the code."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing

_BODY = b"<Error><Code>NoSuchBucket</Code></Error>"
_CHUNKED = (
    b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"c\r\n" + _BODY[:12] + b"\r\n" + f"{len(_BODY) - 12:x}".encode() + b"\r\n" + _BODY[12:] + b"\r\n0\r\n\r\n"
)


STORE = OddStore(
    source="https://github.com/aws/aws-sdk-ruby/issues/133",
    override=to_listing(_CHUNKED),
    step=CheckStepName.BUCKET,
    code=CheckCode.NO_SUCH_BUCKET,
    field=CheckField.BUCKET_NAME,
    store_code="NoSuchBucket",
)
