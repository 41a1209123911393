"""501 to a listing in any form."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import error

STORE = OddStore(
    source="https://github.com/scality/cloudserver/pull/1192",
    override=to_listing(error("501 Not Implemented", "NotImplemented")),
    step=CheckStepName.LIST,
    code=CheckCode.NOT_SUPPORTED,
    store_code="NotImplemented",
)
