"""200 to a listing with an error in the body."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://github.com/boto/botocore/pull/298",
    override=to_listing(answer("200 OK", b"<Error><Code>AccessDenied</Code></Error>")),
    step=CheckStepName.LIST,
    code=CheckCode.ACCESS_DENIED,
    field=CheckField.CREDENTIALS,
    store_code="AccessDenied",
)
