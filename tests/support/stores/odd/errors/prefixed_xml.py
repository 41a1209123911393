"""Errors in XML with a prefix before every name."""

from __future__ import annotations

from models.checks.report import CheckCode, CheckField, CheckStepName
from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import answer

STORE = OddStore(
    source="https://github.com/akka/alpakka/pull/2341",
    override=to_listing(
        answer(
            "404 Not Found",
            b"<?xml version='1.0'?><ns0:Error xmlns:ns0='x'><ns0:Code>NoSuchBucket</ns0:Code></ns0:Error>",
        )
    ),
    step=CheckStepName.BUCKET,
    code=CheckCode.NO_SUCH_BUCKET,
    field=CheckField.BUCKET_NAME,
    store_code="NoSuchBucket",
)
