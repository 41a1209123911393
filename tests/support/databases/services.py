"""The service and its parts for tests that use the models in their own process."""

from __future__ import annotations

from datetime import timedelta

from models.accounts.bearer import parse_bearer, viewer_behind
from models.accounts.viewer import Protocol, Viewer
from models.events.event_stream import EventStreams
from models.reads.reads import Reads
from models.service import DestinationService
from models.vault.vault import Vault
from models.writes.idempotency import IdempotencyKeys
from models.writes.write import Writes


def service_of(vault: Vault, *, streams: EventStreams | None = None, reads: Reads | None = None) -> DestinationService:
    """A service; parts that are not given are its own."""
    reads = reads or Reads()
    keys = IdempotencyKeys(vault, timedelta(days=1))
    return DestinationService(vault, streams or EventStreams(reads), reads, Writes(), keys)


async def viewer_of_token(text: str, protocol: Protocol, reads: Reads | None = None) -> Viewer:
    """The viewer of a token, looked up as a request's is; raises `Unauthenticated`."""
    bearer = parse_bearer(text)
    return viewer_behind(await (reads or Reads()).token_of(bearer), bearer, protocol)
