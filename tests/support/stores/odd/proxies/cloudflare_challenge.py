"""A challenge of Cloudflare for browsers."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckHint, CheckStepName
from tests.support.stores.odd.odd_store import PAGE, OddStore, to_listing
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://github.com/cloudflare/cloudflare-docs/pull/17623",
    override=to_listing(answer("403 Forbidden", PAGE, server="cloudflare", cf_mitigated="challenge")),
    step=CheckStepName.AUTHENTICATE,
    code=CheckCode.NOT_S3,
    field=CheckField.ENDPOINT,
    hint=CheckHint.PROXY_REFUSES,
)
