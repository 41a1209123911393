"""Live events: the streams of one user read the stored events together; a signal only says that there may be new ones.

So a stream holds no queue, a slow one costs no memory, and no writer waits for it. The signals - from the service of
this process, from PostgreSQL's NOTIFY, or from the poll behind both - may be lost or doubled without harm.

Streams of one user that are at the same position share one read. They are woken some at a time, and the less often the
more there are: a thousand streams cost what fifty would cost per event, and other requests are answered in between.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from models.accounts.abilities import Ability, parse_abilities
from models.accounts.token_row import TokenRow
from models.accounts.viewer import Viewer
from models.errors import AbilityMissing, DatabaseUnavailable, Refusal, Unauthenticated
from models.events.check_began import CheckBegan
from models.events.event import Event
from models.events.history import events_after, newest_position
from models.reads.reads import Reads

BATCH = 32
"""Events of one read, and so what a stream holds at most while its client does not read."""
POLL_S = 1.0
TOKENS_AT_ONCE = 64
"""Looked up by one statement of the poll: a row takes 2 kB until it has been looked at."""
WOKEN_AT_ONCE = 16
"""Streams that are woken in one turn of the event loop."""
TURN_S = 0.001
"""Between two such turns: what other requests get of the event loop."""
PACE_S = 0.0001
"""For each stream of a user, the least time between two times that they are woken."""
MAX_PACE_S = 0.1
MAX_POSITIONS = 8
"""Positions of one user's streams whose reads are shared; more of them are read anew."""
LAGS = 256
"""Live reads whose lag is kept."""
LAG_WINDOW_S = 60.0
MAX_BEGUN = 64
"""Checks that began, of one user, until the streams have them: of more than that the oldest are left out."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EventBatch:
    """Events that follow one another, of one read. Streams at the same position get the same batch.

    `shared` is what they have made of it: the first puts it there, and it goes with the batch. A batch may be of checks
    that began, too, which are no stored events; `position` is where the stream is that has them next.
    """

    events: Sequence[Event] = ()
    begun: Sequence[CheckBegan] = ()
    position: int = 0
    shared: dict[Hashable, Any] = field(default_factory=dict)


_NOTHING = EventBatch()
"""For all streams that are at their end: no stream makes anything of it."""


class _Stream:
    """One open stream: its user and token, the future that it waits for, and the refusal that ends it."""

    __slots__ = ("begun", "end", "news", "token_id", "user_id")

    def __init__(self, viewer: Viewer, *, begun: int) -> None:
        """`begun` is how many checks had begun in its feed."""
        self.begun = begun
        self.user_id = viewer.user_id
        self.token_id = viewer.token_id
        self.news: asyncio.Future[None] | None = None
        self.end: Refusal | None = None

    def wake(self) -> None:
        """Let the stream read on, if it waits."""
        if self.news is not None and not self.news.done():
            self.news.set_result(None)


class _Feed:
    """The streams of one user, and the reads that they share.

    `generation` is increased when the streams are to read again: a read is shared within one generation only, so that
    none is older than the signal that woke its streams.
    """

    def __init__(self, user_id: int) -> None:
        self.streams: set[_Stream] = set()
        self.generation = 0
        self._user_id = user_id
        self._loop = asyncio.get_running_loop()
        self._reads: dict[int, asyncio.Task[EventBatch] | EventBatch] = {}
        self._begun: tuple[CheckBegan, ...] = ()
        self._begun_batches: dict[tuple[int, int], EventBatch] = {}
        self.begun = 0
        """How many checks have begun."""
        self._has_news = False
        self._turn: asyncio.TimerHandle | None = None
        self._woken_at = self._loop.time() - MAX_PACE_S

    def wake(self) -> None:
        """Wake all streams, at once or when those that wait are woken the next time."""
        self._has_news = True
        if self._turn is None:
            self._wake_in_time()

    def tell(self, began: CheckBegan) -> None:
        """Tell the streams that a check began; it may come a second time, from another process."""
        if all(began.number != known.number for known in self._begun):
            self._begun = (*self._begun, began)[-MAX_BEGUN:]
            self.begun += 1
            self._begun_batches.clear()
            self.wake()

    def begun_since(self, stream: _Stream, position: int) -> EventBatch | None:
        """The checks that began since the stream had any, at this position of it; None if there are none."""
        if stream.begun == self.begun:
            return None
        key = (position, stream.begun)
        batch = self._begun_batches.get(key)
        if batch is None:
            if len(self._begun_batches) >= MAX_POSITIONS:
                del self._begun_batches[next(iter(self._begun_batches))]
            begun = self._begun[-(self.begun - stream.begun) :]
            batch = self._begun_batches[key] = EventBatch(begun=begun, position=position)
        stream.begun = self.begun
        return batch

    async def wait(self, stream: _Stream, generation: int) -> None:
        """Wait until there is a later generation, or the stream has to end."""
        if self.generation == generation and stream.end is None:
            stream.news = self._loop.create_future()
            try:
                await stream.news
            finally:
                stream.news = None

    async def after(self, position: int) -> EventBatch:
        """The events after a position, from a read of this generation; raises `EventUnknown`."""
        read = self._reads.get(position)
        if read is None:
            if len(self._reads) >= MAX_POSITIONS:
                del self._reads[next(iter(self._reads))]
            read = self._reads[position] = asyncio.create_task(self._read(position), name="read of events")
            read.add_done_callback(lambda done: self._finish(position, done))
        return read if isinstance(read, EventBatch) else await asyncio.shield(read)

    def close(self) -> None:
        """Wake nothing any more."""
        if self._turn is not None:
            self._turn.cancel()

    async def _read(self, position: int) -> EventBatch:
        return EventBatch(events=await events_after(self._user_id, position, limit=BATCH))

    def _finish(self, position: int, read: asyncio.Task[EventBatch]) -> None:
        """Keep what was read in place of its task. A stream that begins after a failure reads anew.

        Retrieves the exception: its streams may be cancelled.
        """
        has_failed = read.cancelled() or read.exception() is not None
        if self._reads.get(position) is not read:
            return
        if has_failed:
            del self._reads[position]
        else:
            self._reads[position] = read.result() if read.result().events else _NOTHING

    def _wake_in_time(self) -> None:
        pace_s = min(MAX_PACE_S, PACE_S * len(self.streams))
        wait_s = self._woken_at + pace_s - self._loop.time()
        if wait_s > 0:
            self._turn = self._loop.call_later(wait_s, self._begin)
        else:
            self._begin()

    def _begin(self) -> None:
        self._has_news = False
        self._woken_at = self._loop.time()
        self.generation += 1
        self._reads.clear()
        self._wake_some([stream for stream in self.streams if stream.news is not None])

    def _wake_some(self, waiting: list[_Stream]) -> None:
        for stream in waiting[-WOKEN_AT_ONCE:]:
            stream.wake()
        del waiting[-WOKEN_AT_ONCE:]
        if waiting:
            self._turn = self._loop.call_later(TURN_S, self._wake_some, waiting)
            return
        self._turn = None
        if self._has_news:
            self._wake_in_time()


class EventStreams:
    """The open streams of this process."""

    def __init__(self, reads: Reads) -> None:
        """The tokens of open streams are looked up by `reads`."""
        self._reads = reads
        self._feeds: dict[int, _Feed] = {}
        self._revisions: dict[int, int] = {}
        self._lags: deque[tuple[float, float]] = deque(maxlen=LAGS)

    @property
    def lag_s(self) -> float:
        """The longest that a live event of the last minute took to a stream, in seconds; 0 without any."""
        since = time.monotonic() - LAG_WINDOW_S
        return max((lag_s for at, lag_s in self._lags if at >= since), default=0.0)

    def __len__(self) -> int:
        """The number of open streams."""
        return sum(len(feed.streams) for feed in self._feeds.values())

    def wake(self, user_ids: Iterable[int] | None = None) -> None:
        """Wake the streams of these users, or all: there may be new events."""
        for user_id in list(self._feeds) if user_ids is None else user_ids:
            feed = self._feeds.get(user_id)
            if feed is not None:
                feed.wake()

    def check_began(self, began: CheckBegan) -> None:
        """Tell the streams of its user, if there are any in this process."""
        feed = self._feeds.get(began.user_id)
        if feed is not None:
            feed.tell(began)

    async def batches(self, viewer: Viewer, *, after: int | None) -> AsyncGenerator[EventBatch, None]:
        """The viewer's events after that position, then live ones, in commit order, without end.

        Positions are those of `events_after`; None is the end of the history. Raises `AbilityMissing` and
        `EventUnknown` at once, `EventUnknown` when the history is another than the stream has read, and
        `AbilityMissing` or `Unauthenticated` when the token stops allowing it.
        """
        viewer.require(Ability.VIEW)
        feed = self._feeds.get(viewer.user_id)
        if feed is None:
            feed = self._feeds[viewer.user_id] = _Feed(viewer.user_id)
        stream = _Stream(viewer, begun=feed.begun)
        feed.streams.add(stream)
        try:
            position = await newest_position(viewer.user_id) if after is None else after
            is_live = after is None
            while True:
                generation = feed.generation
                batch = await feed.after(position)
                begun = feed.begun_since(stream, position)
                if begun is not None:
                    yield begun
                if batch.events:
                    position = batch.events[-1].id
                    if is_live:
                        self._lags.append((time.monotonic(), time.time() - batch.events[0].occurred_at.timestamp()))
                    yield batch
                is_live = len(batch.events) < BATCH
                if stream.end is None and len(batch.events) < BATCH:
                    await feed.wait(stream, generation)
                if stream.end is not None:
                    raise stream.end
        finally:
            feed.streams.discard(stream)
            if not feed.streams and self._feeds.get(viewer.user_id) is feed:
                feed.close()
                del self._feeds[viewer.user_id]

    async def is_valid(self, viewer: Viewer) -> bool:
        """Whether the token of a viewer may still be used."""
        token = None if viewer.token_id is None else await self._reads.token(viewer.token_id)
        return token is not None and token.is_valid()

    async def watch(self) -> None:
        """Poll for new events and for tokens that ended, while there are streams; never returns."""
        while True:
            await asyncio.sleep(POLL_S)
            if self._feeds:
                with suppress(DatabaseUnavailable):
                    await self.poll()

    async def poll(self) -> None:
        """One lookup for all streams: wake those whose revision changed, end those whose token is no longer valid."""
        streams = [stream for feed in self._feeds.values() for stream in feed.streams]
        token_ids = list({stream.token_id for stream in streams if stream.token_id is not None})
        ends: dict[int, Refusal | None] = {}
        revisions: dict[int, int] = {}
        for start in range(0, len(token_ids), TOKENS_AT_ONCE):
            some = token_ids[start : start + TOKENS_AT_ONCE]
            found = await asyncio.gather(*map(self._reads.token, some))
            ends |= {token_id: _why_ended(token) for token_id, token in zip(some, found, strict=True)}
            revisions |= {token.user_id: token.revision for token in found if token is not None}
        for stream in streams:
            stream.end = Unauthenticated() if stream.token_id is None else ends[stream.token_id]
            if stream.end is not None:
                stream.wake()
        self.wake([user_id for user_id, revision in revisions.items() if self._revisions.get(user_id) != revision])
        self._revisions = revisions


def _why_ended(token: TokenRow | None) -> Refusal | None:
    """Why a stream of this token ends; None while it may go on."""
    if token is None or not token.is_valid():
        return Unauthenticated()
    allowed = parse_abilities(token.abilities)
    return None if allowed & {Ability.VIEW, Ability.ALL} else AbilityMissing(Ability.VIEW)
