"""526 of Cloudflare: the certificate of the store behind it is not valid."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckHint, CheckStepName
from tests.support.stores.odd.odd_store import PAGE, OddStore, to_listing
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/",
    override=to_listing(answer("526 Invalid SSL Certificate", PAGE, server="cloudflare")),
    step=CheckStepName.AUTHENTICATE,
    code=CheckCode.STORE_UNAVAILABLE,
    field=CheckField.ENDPOINT,
    hint=CheckHint.PROXY_CANNOT_ENCRYPT,
)
