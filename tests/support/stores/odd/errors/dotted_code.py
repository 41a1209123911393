"""A code with a dot that is in no list: another of the key service."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckHint, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to
from tests.support.stores.peers import error

STORE = OddStore(
    source="https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html",
    override=to("PUT", error("400 Bad Request", "KMS.DependencyTimeoutException")),
    step=CheckStepName.WRITE,
    code=CheckCode.ACCESS_DENIED,
    field=CheckField.CREDENTIALS,
    hint=CheckHint.ENCRYPTION_KEY,
)
