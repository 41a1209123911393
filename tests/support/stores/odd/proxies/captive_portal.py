"""A network that answers with a redirect to its login."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import PAGE, OddStore, to_listing
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://www.rfc-editor.org/rfc/rfc8952#section-2",
    override=to_listing(answer("302 Found", PAGE, location="http://login.example/portal")),
    step=CheckStepName.AUTHENTICATE,
    code=CheckCode.REDIRECTED,
    field=CheckField.ENDPOINT,
)
