"""520 of Cloudflare: Web Server Returned an Unknown Error."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckStepName
from tests.support.stores.odd.odd_store import PAGE, OddStore, to_listing
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/",
    override=to_listing(answer("520 Web Server Returned an Unknown Error", PAGE, server="cloudflare")),
    step=CheckStepName.AUTHENTICATE,
    code=CheckCode.STORE_UNAVAILABLE,
)
