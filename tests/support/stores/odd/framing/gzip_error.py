"""An error that a proxy compressed, though nothing but identity was asked for."""

from __future__ import annotations

import gzip

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import answer

_BODY = gzip.compress(b"<Error><Code>NoSuchBucket</Code></Error>")

STORE = OddStore(
    source="https://github.com/elastic/beats/pull/26872",
    override=to_listing(answer("404 Not Found", _BODY, content_encoding="gzip")),
    step=CheckStepName.BUCKET,
    code=CheckCode.NO_SUCH_BUCKET,
    field=CheckField.BUCKET_NAME,
    store_code="NoSuchBucket",
)
