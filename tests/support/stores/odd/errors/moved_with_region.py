"""301 with the region of the bucket."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import error

STORE = OddStore(
    source="https://github.com/yanganto/s3rs/issues/18",
    override=to_listing(
        error(
            "301 Moved Permanently",
            "PermanentRedirect",
            "<Endpoint>nightly.s3-ap-northeast-1.amazonaws.com</Endpoint>",
            x_amz_bucket_region="ap-northeast-1",
        )
    ),
    step=CheckStepName.BUCKET,
    code=CheckCode.WRONG_REGION,
    field=CheckField.REGION,
    store_code="PermanentRedirect",
)
