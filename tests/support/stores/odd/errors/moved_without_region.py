"""301 with an endpoint, and no region."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import error

STORE = OddStore(
    source="https://github.com/transloadit/uppy/issues/713",
    override=to_listing(error("301 Moved Permanently", "PermanentRedirect", "<Endpoint>s3.example.com</Endpoint>")),
    step=CheckStepName.BUCKET,
    code=CheckCode.WRONG_REGION,
    field=CheckField.REGION,
    store_code="PermanentRedirect",
)
