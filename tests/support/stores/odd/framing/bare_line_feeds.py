"""Lines that end without a carriage return."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing

STORE = OddStore(
    source="https://www.rfc-editor.org/rfc/rfc9112#section-2.2",
    override=to_listing(b"HTTP/1.1 404 Not Found\ncontent-length: 40\n\n<Error><Code>NoSuchBucket</Code></Error>"),
    step=CheckStepName.BUCKET,
    code=CheckCode.NO_SUCH_BUCKET,
    field=CheckField.BUCKET_NAME,
    store_code="NoSuchBucket",
)
