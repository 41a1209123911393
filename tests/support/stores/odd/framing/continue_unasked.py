"""100 Continue with headers of a proxy before every response, though it was not asked for."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import error

STORE = OddStore(
    source="https://github.com/aws/aws-cli/issues/1116",
    override=to_listing(
        b"HTTP/1.1 100 Continue\r\nConnection: keep-alive\r\n\r\n" + error("404 Not Found", "NoSuchBucket")
    ),
    step=CheckStepName.BUCKET,
    code=CheckCode.NO_SUCH_BUCKET,
    field=CheckField.BUCKET_NAME,
    store_code="NoSuchBucket",
)
