"""JSON of a service that is no store."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import answer

_BODY = b'{"code":"unauthorized","message":"hunter22"}'

STORE = OddStore(
    source="https://github.com/grafana/mimir/pull/496",
    override=to_listing(answer("401 Unauthorized", _BODY, content_type="application/json")),
    step=CheckStepName.AUTHENTICATE,
    code=CheckCode.NOT_S3,
    field=CheckField.ENDPOINT,
)
