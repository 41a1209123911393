"""Live events: the streams of one user read the stored events together; a signal only says that there may be new ones.

So a stream holds no queue, a slow one costs no memory, and no writer waits for it. The signals - from the service of
this process, from PostgreSQL's NOTIFY, or from the poll behind both - may be lost or doubled without harm. That NOTIFY
carries the event and the position it follows: a stream at that position takes it without a read, any other reads.

Streams of one user that are at the same position share one read. They are woken some at a time, and the less often the
more there are: a thousand streams cost what fifty would cost per event, and other requests are answered in between.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.accounts.abilities import Ability, parse_abilities
from models.accounts.token_row import TokenRow
from models.accounts.viewer import Viewer
from models.errors import AbilityMissing, DatabaseUnavailable, Refusal, Unauthenticated
from models.events.check_began import CheckBegan
from models.events.event import Event
from models.events.history import events_after, newest_events, newest_position
from models.events.notified_event import NotifiedEvent
from models.reads.reads import Reads

BATCH = 32
"""Events of one read, and so what a stream holds at most while its client does not read."""
POLL_S = 1.0
TOKENS_AT_ONCE = 32
"""Looked up by one statement of the poll: a row takes 2 kB until it has been looked at, and all hold up the loop."""
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


class EventBatches(AsyncIterator[EventBatch]):
    """One open stream: the batches of one user's events, from a position on, without end.

    No generator, which would take half a kilobyte more while it waits. It has to be closed, as a generator has. `news`
    is the future that it waits for, and `end` the refusal that ends it.
    """

    __slots__ = (
        "_feed",
        "_is_live",
        "_seen",
        "_streams",
        "_told",
        "begun",
        "end",
        "news",
        "position",
        "token_id",
        "user_id",
    )

    def __init__(self, viewer: Viewer, streams: EventStreams, *, after: int | None) -> None:
        self.user_id = viewer.user_id
        self.token_id = viewer.token_id
        self.news: asyncio.Future[None] | None = None
        self.end: Refusal | None = None
        self.begun = 0
        """How many checks had begun when it had any the last time, of those its feed knows."""
        self._streams = streams
        self.position = after
        """Of the event that it has had last; None until it is known where it begins."""
        self._is_live = after is None
        self._seen = -1  # the generation of the read that found the end
        self._feed: _Feed | None = None
        self._told: EventBatch | None = None  # which follows the checks that began

    async def __anext__(self) -> EventBatch:
        feed = self._feed or self._begin()
        if self._told is not None:
            batch, self._told = self._told, None
            return batch
        if self.position is None:
            self.position = await newest_position(self.user_id)
        while True:
            if feed.generation == self._seen and self.end is None:
                self.news = asyncio.get_running_loop().create_future()
                try:
                    await self.news
                finally:
                    self.news = None
            if self.end is not None:
                raise self.end
            generation = feed.generation
            batch = await feed.after(self.position)
            begun = feed.begun_since(self, self.position)
            was_live, self._is_live = self._is_live, len(batch.events) < BATCH
            self._seen = generation if self._is_live else -1
            if batch.events:
                self.position = batch.events[-1].id
                if was_live:
                    self._streams.note_lag(batch.events[0])
            if begun is not None:
                self._told = batch if batch.events else None
                return begun
            if batch.events:
                return batch
            del batch

    async def aclose(self) -> None:
        """Be no longer one of the open streams; it has no batches any more."""
        if self._feed is not None:
            self._streams.leave(self, self._feed)
            self._feed = None

    def wake(self) -> None:
        """Let the stream read on, if it waits."""
        if self.news is not None and not self.news.done():
            self.news.set_result(None)

    def _begin(self) -> _Feed:
        self._feed = self._streams.join(self)
        self.begun = self._feed.begun
        return self._feed


class _Feed:
    """The streams of one user, and the reads that they share.

    `generation` is increased when the streams are to read again: a read is shared within one generation only, so that
    none is older than the signal that woke its streams.
    """

    __slots__ = (
        "_begun",
        "_begun_batches",
        "_has_news",
        "_loop",
        "_must_read",
        "_notified",
        "_reads",
        "_turn",
        "_user_id",
        "_woken_at",
        "begun",
        "generation",
        "streams",
    )

    def __init__(self, user_id: int) -> None:
        self.streams: set[EventBatches] = set()
        self.generation = 0
        self._user_id = user_id
        self._loop = asyncio.get_running_loop()
        self._reads: dict[int, asyncio.Task[EventBatch] | EventBatch] = {}
        self._begun: tuple[CheckBegan, ...] = ()
        self._begun_batches: dict[tuple[int, int], EventBatch] = {}
        self.begun = 0
        """How many checks have begun."""
        self._has_news = False
        self._must_read = False
        """Whether the notified events are not all that may be new."""
        self._notified: list[NotifiedEvent] = []
        """Each follows the one before directly; those since the streams were woken."""
        self._turn: asyncio.TimerHandle | None = None
        self._woken_at = self._loop.time() - MAX_PACE_S

    def wake(self) -> None:
        """Let all streams read, at once or when those that wait are woken the next time."""
        self._must_read = True
        self._wake()

    def notify(self, notified: NotifiedEvent) -> None:
        """Give all streams an event, at once or when those that wait are woken the next time."""
        is_next = not self._notified or self._notified[-1].event.id == notified.previous
        if is_next and len(self._notified) < BATCH - 1:
            self._notified.append(notified)
        else:
            self._must_read = True
        self._wake()

    def _wake(self) -> None:
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

    def begun_since(self, stream: EventBatches, position: int) -> EventBatch | None:
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

    async def after(self, position: int) -> EventBatch:
        """The events after a position, from a read of this generation; raises `EventUnknown`."""
        read = self._reads.get(position)
        if read is None:
            if len(self._reads) >= MAX_POSITIONS:
                del self._reads[next(iter(self._reads))]
            read = self._reads[position] = asyncio.create_task(self._read(position), name="read of events")
            read.add_done_callback(lambda done: self._finish(position, done))
        return read if isinstance(read, EventBatch) else await asyncio.shield(read)

    def has(self, newest: int) -> bool:
        """Whether all streams have had this event of their user, the newest one."""
        return all(stream.position == newest for stream in self.streams)

    def close(self) -> None:
        """Wake nothing any more."""
        if self._turn is not None:
            self._turn.cancel()

    async def _read(self, position: int) -> EventBatch:
        events = await events_after(self._user_id, position, limit=BATCH)
        return EventBatch(events=events) if events else _NOTHING

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
            self._reads[position] = read.result()

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
        if self._notified and not self._must_read:
            events = tuple(notified.event for notified in self._notified)
            self._reads[self._notified[0].previous] = EventBatch(events=events)
            self._reads[events[-1].id] = _NOTHING
        self._notified.clear()
        self._must_read = False
        self._wake_some([stream for stream in self.streams if stream.news is not None])

    def _wake_some(self, waiting: list[EventBatches]) -> None:
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
        self.is_notified = False
        """Whether notifications of PostgreSQL arrive: then nothing is read after a change of this process."""

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

    def note_change(self, user_id: int) -> None:
        """This process has stored an event of the user."""
        if not self.is_notified:
            self.wake([user_id])

    def notify(self, user_id: int, text: str) -> None:
        """PostgreSQL has notified of an event of the user; `text` is what `NotifiedEvent.of_json` takes, or empty."""
        feed = self._feeds.get(user_id)
        if feed is None:
            return
        try:
            feed.notify(NotifiedEvent.of_json(user_id, text))
        except ValueError:  # it did not fit, or is of another release
            feed.wake()

    def check_began(self, began: CheckBegan) -> None:
        """Tell the streams of its user, if there are any in this process."""
        feed = self._feeds.get(began.user_id)
        if feed is not None:
            feed.tell(began)

    def batches(self, viewer: Viewer, *, after: int | None) -> EventBatches:
        """The viewer's events after that position, then live ones, in commit order, without end.

        Positions are those of `events_after`; None is the end of the history. Raises `AbilityMissing` at once; the
        first batch `EventUnknown`, as a later one when the history is another than the stream has read, and
        `AbilityMissing` or `Unauthenticated` when the token stops allowing it.
        """
        viewer.require(Ability.VIEW)
        return EventBatches(viewer, self, after=after)

    def join(self, stream: EventBatches) -> _Feed:
        """The feed of a stream's user, of whose streams it is one from now on."""
        feed = self._feeds.get(stream.user_id)
        if feed is None:
            feed = self._feeds[stream.user_id] = _Feed(stream.user_id)
        feed.streams.add(stream)
        return feed

    def leave(self, stream: EventBatches, feed: _Feed) -> None:
        """Let a stream be none of its feed's any more."""
        feed.streams.discard(stream)
        if not feed.streams and self._feeds.get(stream.user_id) is feed:
            feed.close()
            del self._feeds[stream.user_id]

    def note_lag(self, event: Event) -> None:
        """A live event has come to a stream."""
        self._lags.append((time.monotonic(), time.time() - event.occurred_at.timestamp()))

    async def is_valid(self, viewer: Viewer) -> bool:
        """Whether the token of a viewer may still be used."""
        token = None if viewer.token_id is None else await self._reads.token(viewer.token_id)
        return token is not None and token.is_valid()

    async def watch(self) -> None:
        """Poll for new events and for tokens that ended, while there are streams; never returns."""
        while True:
            try:
                if self._feeds:
                    await self._poll()
                else:
                    await asyncio.sleep(POLL_S)
            except DatabaseUnavailable:
                await asyncio.sleep(POLL_S)

    async def _poll(self) -> None:
        """Look up the tokens of all streams, some at a time: all at once would hold up events and requests.

        Ends those whose token is no longer valid, in `POLL_S`. Where the revision of a user has changed, an event may
        be stored that nothing has told of: those who have not had the newest one are woken.
        """
        streams: dict[int, list[EventBatches]] = {}
        for feed in self._feeds.values():
            for stream in feed.streams:
                if stream.token_id is None:
                    stream.end = Unauthenticated()
                    stream.wake()
                else:
                    streams.setdefault(stream.token_id, []).append(stream)
        token_ids = list(streams)
        parts = [token_ids[start : start + TOKENS_AT_ONCE] for start in range(0, len(token_ids), TOKENS_AT_ONCE)]
        self._revisions = {user_id: revision for user_id, revision in self._revisions.items() if user_id in self._feeds}
        for part in parts:
            tokens = await self._reads.tokens(part)
            for token_id in part:
                self._end_of(tokens.get(token_id), streams[token_id])
            revisions = {token.user_id: token.revision for token in tokens.values()}
            await self._catch_up({user: now for user, now in revisions.items() if self._revisions.get(user) != now})
            await asyncio.sleep(POLL_S / len(parts))
        if not parts:
            await asyncio.sleep(POLL_S)

    async def _catch_up(self, revisions: Mapping[int, int]) -> None:
        """Wake the streams of users with these revisions, unless they have had all; raises `DatabaseUnavailable`."""
        if not revisions:
            return
        newest = await newest_events(revisions)
        self._revisions.update(revisions)
        for user_id in revisions:
            feed = self._feeds.get(user_id)
            if feed is not None and not feed.has(newest.get(user_id, 0)):
                feed.wake()

    @staticmethod
    def _end_of(token: TokenRow | None, streams: Iterable[EventBatches]) -> None:
        """End the streams of a token that allows them no more."""
        end = _why_ended(token)
        if end is not None:
            for stream in streams:
                stream.end = end
                stream.wake()


def _why_ended(token: TokenRow | None) -> Refusal | None:
    """Why a stream of this token ends; None while it may go on."""
    if token is None or not token.is_valid():
        return Unauthenticated()
    allowed = parse_abilities(token.abilities)
    return None if allowed & {Ability.VIEW, Ability.ALL} else AbilityMissing(Ability.VIEW)
