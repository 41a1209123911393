"""403 with a request id and without a body."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://github.com/apache/opendal/pull/2677",
    override=to_listing(answer("403 Forbidden", x_amz_request_id="tx00000da015418326e48b0")),
    step=CheckStepName.LIST,
    code=CheckCode.ACCESS_DENIED,
    field=CheckField.CREDENTIALS,
)
