"""Header names in lower case, and no space behind the colon."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing

STORE = OddStore(
    source="https://github.com/seaweedfs/seaweedfs/issues/6526",
    override=to_listing(
        b"HTTP/1.1 404 Not Found\r\ncontent-type:application/xml\r\ncontent-length:40\r\n\r\n"
        b"<Error><Code>NoSuchBucket</Code></Error>"
    ),
    step=CheckStepName.BUCKET,
    code=CheckCode.NO_SUCH_BUCKET,
    field=CheckField.BUCKET_NAME,
    store_code="NoSuchBucket",
)
