"""A status without a reason phrase and the space before it."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing

STORE = OddStore(
    source="https://www.rfc-editor.org/rfc/rfc9112#section-4",
    override=to_listing(b"HTTP/1.1 404\r\ncontent-length: 40\r\n\r\n<Error><Code>NoSuchBucket</Code></Error>"),
    step=CheckStepName.BUCKET,
    code=CheckCode.NO_SUCH_BUCKET,
    field=CheckField.BUCKET_NAME,
    store_code="NoSuchBucket",
)
