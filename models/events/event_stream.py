"""Live events: each reader reads the stored events at its own pace and is only told that there may be new ones.

So a reader holds no queue, a slow one costs no memory and no writer waits for it; and whatever tells it - the service
of this process, PostgreSQL's NOTIFY, or the poll that is the net under both - may be lost or doubled without harm.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

from models.accounts.abilities import Ability, parse_abilities
from models.accounts.viewer import Viewer
from models.errors import AbilityMissing, DatabaseUnavailable, Refusal, Unauthenticated
from models.events.event import Event
from models.events.history import events_after, newest_event_id
from models.reads.reads import Reads, TokenRow

BATCH = 100
POLL_S = 1.0


class _Reader:
    """One open stream: whose it is, and the flag that wakes it."""

    __slots__ = ("end", "news", "token_id", "user_id")

    def __init__(self, viewer: Viewer) -> None:
        self.user_id = viewer.user_id
        self.token_id = viewer.token_id
        self.news = asyncio.Event()
        self.end: Refusal | None = None


class EventStreams:
    """The open streams of this process."""

    def __init__(self, reads: Reads | None = None) -> None:
        """`reads` are what the tokens of open streams are looked up with."""
        self._reads = reads or Reads()
        self._readers: dict[int, set[_Reader]] = defaultdict(set)
        self._revisions: dict[int, int] = {}

    def wake(self, user_ids: Iterable[int] | None = None) -> None:
        """Tell the readers of these users, or all, that there may be something new."""
        for user_id in list(self._readers) if user_ids is None else user_ids:
            for reader in self._readers.get(user_id, ()):
                reader.news.set()

    async def events(self, viewer: Viewer, *, after: int | None) -> AsyncIterator[Event]:
        """The viewer's events behind that id, then live ones, in commit order, without end.

        Raises `AbilityMissing` at once, and that or `Unauthenticated` when the token stops allowing it.
        """
        viewer.require(Ability.VIEW)
        reader = _Reader(viewer)
        self._readers[viewer.user_id].add(reader)
        try:
            position = await newest_event_id(viewer.user_id) if after is None else after
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
        """Look now and then for news and for tokens that ended, as long as there are readers; without end."""
        while True:
            await asyncio.sleep(POLL_S)
            if self._readers:
                with suppress(DatabaseUnavailable):
                    await self.look()

    async def look(self) -> None:
        """Ask the database once for all readers: whose revision moved, and whose token still stands."""
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
    """What keeps the bearer of a token from reading on; None while nothing does."""
    if token is None or not token.is_valid():
        return Unauthenticated()
    allowed = parse_abilities(token.abilities)
    return None if allowed & {Ability.VIEW, Ability.ALL} else AbilityMissing(Ability.VIEW)
