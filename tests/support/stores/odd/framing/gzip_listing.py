"""A listing that a proxy compressed."""

from __future__ import annotations

import gzip

from tests.support.stores.odd.odd_store import OddStore, to_listing
from tests.support.stores.peers import LISTING, answer

STORE = OddStore(
    source="https://github.com/localstack/localstack/pull/2667",
    override=to_listing(answer("200 OK", gzip.compress(LISTING), content_encoding="gzip")),
)
