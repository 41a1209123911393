"""An empty line before every response."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import error

STORE = OddStore(
    source="https://www.rfc-editor.org/rfc/rfc9112#section-2.2",
    override=to_listing(b"\r\n\r\n" + error("404 Not Found", "NoSuchBucket")),
    step=CheckStepName.BUCKET,
    code=CheckCode.NO_SUCH_BUCKET,
    field=CheckField.BUCKET_NAME,
    store_code="NoSuchBucket",
)
