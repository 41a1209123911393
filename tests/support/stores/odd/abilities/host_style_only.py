"""The bucket in the path is refused."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckHint, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import error

STORE = OddStore(
    source="https://github.com/peak/s5cmd/issues/518",
    override=to_listing(error("403 Forbidden", "SecondLevelDomainForbidden")),
    step=CheckStepName.BUCKET,
    code=CheckCode.NO_SUCH_BUCKET,
    field=CheckField.PATH_STYLE_ENDPOINT,
    hint=CheckHint.HOST_STYLE_NEEDED,
    store_code="SecondLevelDomainForbidden",
)
