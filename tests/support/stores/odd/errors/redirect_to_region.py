"""307 to the endpoint of the region, as for a new bucket."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import error

STORE = OddStore(
    source="https://github.com/cperciva/bsdec2-image-upload/issues/11",
    override=to_listing(
        error(
            "307 Temporary Redirect",
            "TemporaryRedirect",
            x_amz_bucket_region="eu-central-1",
            location="https://nightly.s3.eu-central-1.amazonaws.com/",
        )
    ),
    step=CheckStepName.BUCKET,
    code=CheckCode.WRONG_REGION,
    field=CheckField.REGION,
    store_code="TemporaryRedirect",
)
