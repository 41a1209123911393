"""403 that only the Date header explains: the clocks differ by years."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import error

STORE = OddStore(
    source="https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html",
    override=to_listing(error("403 Forbidden", "AccessDenied", date="Mon, 01 Jan 2024 00:00:00 GMT")),
    step=CheckStepName.AUTHENTICATE,
    code=CheckCode.CLOCK_SKEW,
    store_code="AccessDenied",
)
