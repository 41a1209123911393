"""Uploads in parts are unknown."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckDepth, CheckHint, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to
from tests.support.stores.peers import error

STORE = OddStore(
    source="https://github.com/wpnpeiris/nats-s3/issues/68",
    override=to("POST", error("501 Not Implemented", "NotImplemented")),
    step=CheckStepName.MULTIPART,
    code=CheckCode.NOT_SUPPORTED,
    hint=CheckHint.MULTIPART_UNKNOWN,
    store_code="NotImplemented",
    depth=CheckDepth.MULTIPART,
)
