"""200 with an error in the body, after the store began to respond too early."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://github.com/scylladb/scylladb/issues/20517",
    override=to("PUT", answer("200 OK", b"<?xml version='1.0'?>\n<Error><Code>InternalError</Code></Error>")),
    step=CheckStepName.WRITE,
    code=CheckCode.STORE_UNAVAILABLE,
    store_code="InternalError",
)
