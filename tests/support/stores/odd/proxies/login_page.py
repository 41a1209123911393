"""A network that answers with its login page."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import PAGE, OddStore, to_listing
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://github.com/minio/minio/issues/12580",
    override=to_listing(answer("200 OK", PAGE, content_type="text/html")),
    step=CheckStepName.AUTHENTICATE,
    code=CheckCode.NOT_S3,
    field=CheckField.ENDPOINT,
)
