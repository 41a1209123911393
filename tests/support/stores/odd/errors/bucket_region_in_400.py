"""400 without a body, and the region of the bucket in a header."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://github.com/aws/aws-sdk-ruby/pull/1162",
    override=to_listing(answer("400 Bad Request", x_amz_request_id="1", x_amz_bucket_region="eu-west-1")),
    step=CheckStepName.BUCKET,
    code=CheckCode.WRONG_REGION,
    field=CheckField.REGION,
)
