"""A proxy that lets GET and PUT pass only."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckHint, CheckStepName
from tests.support.stores.odd.odd_store import PAGE, OddStore, to
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://github.com/nginx/nginx-s3-gateway/issues/359",
    override=to("DELETE", answer("405 Method Not Allowed", PAGE, server="nginx")),
    step=CheckStepName.DELETE,
    code=CheckCode.NOT_SUPPORTED,
    field=CheckField.ENDPOINT,
    hint=CheckHint.PROXY_REFUSES,
)
