"""Closes the connection after every response without saying so."""

from __future__ import annotations

from tests.support.stores.odd.odd_store import OddStore
from tests.support.stores.peers import ReceivedRequest


async def _usual(_asked: ReceivedRequest) -> bytes | None:
    return None


STORE = OddStore(
    source="https://github.com/restic/restic/pull/409",
    override=_usual,
    closes=True,
)
