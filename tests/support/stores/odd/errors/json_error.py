"""Errors in JSON, as some gateways and emulators respond."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import answer

_BODY = b'{"__type":"AccessDeniedException","message":"hunter22"}'

STORE = OddStore(
    source="https://github.com/floci-io/floci/issues/656",
    override=to_listing(answer("403 Forbidden", _BODY, content_type="application/json")),
    step=CheckStepName.LIST,
    code=CheckCode.ACCESS_DENIED,
    field=CheckField.CREDENTIALS,
    store_code="AccessDeniedException",
)
