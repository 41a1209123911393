"""511, with which a network says that it wants a login."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckHint, CheckStepName
from tests.support.stores.odd.odd_store import PAGE, OddStore, to_listing
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://www.rfc-editor.org/rfc/rfc6585#section-6",
    override=to_listing(answer("511 Network Authentication Required", PAGE)),
    step=CheckStepName.AUTHENTICATE,
    code=CheckCode.NOT_S3,
    hint=CheckHint.PROXY_LOGIN,
)
