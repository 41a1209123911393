"""Live events: each stream reads the stored events at its own pace; a signal only says that there may be new ones.

So a stream holds no queue, a slow one costs no memory, and no writer waits for it. The signals - from the service of
this process, from PostgreSQL's NOTIFY, or from the poll behind both - may be lost or doubled without harm.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

from models.accounts.abilities import Ability, parse_abilities
from models.accounts.token_row import TokenRow
from models.accounts.viewer import Viewer
from models.errors import AbilityMissing, DatabaseUnavailable, Refusal, Unauthenticated
from models.events.event import Event
from models.events.history import events_after, newest_event_id, require_events
from models.reads.reads import Reads

BATCH = 100
POLL_S = 1.0


class _Reader:
    """One open stream: its user and token, the flag that wakes it, and the refusal that ends it."""

    __slots__ = ("end", "news", "token_id", "user_id")

    def __init__(self, viewer: Viewer) -> None:
        self.user_id = viewer.user_id
        self.token_id = viewer.token_id
        self.news = asyncio.Event()
        self.end: Refusal | None = None


class EventStreams:
    """The open streams of this process."""

    def __init__(self, reads: Reads) -> None:
        """The tokens of open streams are looked up by `reads`."""
        self._reads = reads
        self._readers: dict[int, set[_Reader]] = defaultdict(set)
        self._revisions: dict[int, int] = {}

    def wake(self, user_ids: Iterable[int] | None = None) -> None:
        """Wake the streams of these users, or all: there may be new events."""
        for user_id in list(self._readers) if user_ids is None else user_ids:
            for reader in self._readers.get(user_id, ()):
                reader.news.set()

    async def events(self, viewer: Viewer, *, after: int | None) -> AsyncIterator[Event]:
        """The viewer's events after that id, then live ones, in commit order, without end.

        Raises `AbilityMissing` and `EventUnknown` at once, and `AbilityMissing` or `Unauthenticated` when the token
        stops allowing it.
        """
        viewer.require(Ability.VIEW)
        reader = _Reader(viewer)
        self._readers[viewer.user_id].add(reader)
        try:
            if after is None:
                position = await newest_event_id(viewer.user_id)
            else:
                await require_events(viewer.user_id, [after])
                position = after
            while True:
                reader.news.clear()
                batch = await events_after(viewer.user_id, position, limit=BATCH)
                for event in batch:
                    position = event.id
                    yield event
                    if reader.end is not None:
                        raise reader.end
                if len(batch) < BATCH:
                    await reader.news.wait()
                if reader.end is not None:
                    raise reader.end
        finally:
            self._readers[viewer.user_id].discard(reader)
            if not self._readers[viewer.user_id]:
                del self._readers[viewer.user_id]

    async def watch(self) -> None:
        """Poll for new events and for tokens that ended, while there are streams; never returns."""
        while True:
            await asyncio.sleep(POLL_S)
            if self._readers:
                with suppress(DatabaseUnavailable):
                    await self.poll()

    async def poll(self) -> None:
        """One lookup for all streams: wake those whose revision changed, end those whose token is no longer valid."""
        readers = [reader for of_user in self._readers.values() for reader in of_user]
        token_ids = {reader.token_id for reader in readers if reader.token_id is not None}
        found = await asyncio.gather(*map(self._reads.token, token_ids))
        valid = {token.id: token for token in found if token is not None}
        for reader in readers:
            token = valid.get(reader.token_id) if reader.token_id is not None else None
            reader.end = _why_ended(token)
            revision = None if token is None else token.revision
            if reader.end is not None or self._revisions.get(reader.user_id) != revision:
                reader.news.set()
        self._revisions = {token.user_id: token.revision for token in valid.values()}


def _why_ended(token: TokenRow | None) -> Refusal | None:
    """Why a stream of this token ends; None while it may go on."""
    if token is None or not token.is_valid():
        return Unauthenticated()
    allowed = parse_abilities(token.abilities)
    return None if allowed & {Ability.VIEW, Ability.ALL} else AbilityMissing(Ability.VIEW)
