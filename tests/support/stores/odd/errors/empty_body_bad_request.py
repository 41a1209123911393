"""400 with a request id and without a body."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://github.com/boto/botocore/issues/1413",
    override=to_listing(answer("400 Bad Request", x_amz_request_id="PJN6FKT7MPSK4XPP")),
    step=CheckStepName.AUTHENTICATE,
    code=CheckCode.REQUEST_REFUSED,
    field=CheckField.REGION,
)
