"""Admission: which requests begin at once, which wait for their turn, and which are refused.

A process works on only so many requests at the same time that each is done soon. Further ones wait, in a queue for each
user, and the users take turns: one at full speed makes others wait for a few requests, not for a queue. How long a
request would have to wait is known when it comes, from what is ahead of it and what began lately; beyond a limit it is
refused, before its token is looked up; so are the last of a queue, as soon as it turns out that their turn would come
too late. So the work that is done is never for a client that has given up, and hardly a refusal comes after a wait.

The limit is generous for a burst and strict once requests have been waiting all the time for a while, as CoDel's is
(RFC 8289); the queues and turns are those of FQ-CoDel (RFC 8290). What is on its way out costs time too: many refusals
are held back, each for at most `REFUSED_WITHIN_S`, since clients that try again at once would take the process.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from web.request_state import RequestState

logger = logging.getLogger("moorings.admission")

TICK_S = 0.01
"""How often, while requests wait or are to be refused, the queues are looked at."""
STANDING = 0.5
"""The part of the longest wait that is left once requests have been waiting all the time for `BURST_S`."""
BURST_S = 0.3
PROMISED = 0.5
"""The part of the time that a request may wait in which its turn has to be expected, when it comes.

What is expected is not exact, and what had to be refused after a wait would be refused late.
"""
REFUSED_WITHIN_S = 0.06
"""How long a refusal may be held back; less by what the event loop is late."""
REFUSALS_PER_S = 500
"""How many refusals are written without being held back."""
WORK_S = 0.2
"""How long requests may be at work, on average: there are no more of them than end in that time."""
FEWEST, MOST = 64, 512
"""Requests at work at the same time."""
BEHIND = 0.25
"""The part of the most that is left for an event loop that is behind, `FEWEST` at least.

Even fewer would not make it faster: requests that are at work together share statements. More would be complete at the
same time, and what comes then would wait for all of that.
"""
USER_FEWEST = 8
"""Requests of one user at work at the same time while other users have some too."""
SHARED_S = 1.0
"""How long after a request of another user."""
SHARE_GROWTH = 4
"""How many more of a user are at work after each tick in which neither the process nor its machine was busy.

A user at full speed would otherwise begin with all that waits, or with all of a burst, in any hundredth of a second in
which the loop has less to do, and the others' requests would wait for all of that.
"""
AGED_S = 1.0
"""A request at work for so long counts no longer: it waits for something else, such as a store."""
AGED_BUSY_S = 4.0
"""The same while the process or its machine is busy: requests at work wait for the processor or the database then.

If they counted no longer, others would begin behind them, and each would take as long as all of them together.
"""
LAG_S = 0.015
"""How late the event loop is when it is behind."""
BUSY = 0.5
"""The part of a processor that the loop's thread has used when it is the loop that is behind, and not the machine."""
MEASURED_S = 0.1
"""Over what time the rate of requests that end is measured; two measurements count alike."""
FIRST_RATE = 4_000.0
"""What it is taken for before it was measured."""
LEAST_RATE = 320.0
"""The least that it is taken for: a machine that stood still for a while is no overload."""
CALM_S = 1.0
"""An overload is over when nothing was refused for so long."""
LAG_WINDOW_S = 60
"""Over what time it is known how late the event loop was at most."""
MAX_KNOWN = 8_192
"""Tokens whose users are known, about a hundred bytes each."""

UserKey = int | str
"""A user's id; for a request whose token has not been seen yet, and for one without a token, the client's address."""


class Cycle(Protocol):
    """A request and its response, as the server has them."""

    response_started: bool


class Place:
    """A request at work, or one that waits for it."""

    __slots__ = ("cycle", "deadline", "is_counted", "is_waiting", "key", "refuse", "since", "start", "state", "token")

    def __init__(self, key: UserKey, token: int | None, state: RequestState, cycle: Cycle, since: float) -> None:
        """`since` is when the request came or, at work, began, on the loop's clock."""
        self.key = key
        self.token = token
        self.state = state
        self.cycle = cycle
        self.since = since
        self.deadline = 0.0
        self.is_counted = self.is_waiting = False
        self.start: Callable[[], None] = _nothing
        self.refuse: Callable[[], None] = _nothing


class Admission:
    """The requests of one process."""

    def __init__(self, *, max_wait_s: float) -> None:
        """`max_wait_s` is how long a request may wait in a burst."""
        self._max_wait_s = max_wait_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._known: OrderedDict[int, int] = OrderedDict()
        # At work
        self._running: dict[Place, None] = {}  # the oldest first
        self._running_of: dict[UserKey, int] = {}
        self._limit = float(FEWEST)
        self._let_go_at = 0.0
        self._last_key: UserKey | None = None
        self._shared_until = 0.0
        self._share = MOST  # of a user beside others
        # Waiting
        self._queues: dict[UserKey, deque[Place]] = {}
        self._turns: deque[UserKey] = deque()  # of those with a queue
        self._waiting = 0
        self._waiting_since = 0.0
        # Refused, and not written yet: when, and what writes the refusal
        self._refusals: deque[tuple[float, Callable[[], None]]] = deque()
        # Measured while requests wait
        self._timer: asyncio.TimerHandle | None = None
        self._ticked_at = self._measured_at = self._used_s = 0.0
        self._is_behind = self._is_pressed = False
        self._lags: deque[tuple[int, float]] = deque(maxlen=LAG_WINDOW_S)  # the second, and the longest in it
        self._ended = 0
        self._rate = FIRST_RATE
        self._is_measured = False
        # The overload
        self._overload_since: float | None = None
        self._refused_at = 0.0
        self._refused_before = 0
        self.refused = 0
        """How many requests were refused."""

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self._waiting

    @property
    def running(self) -> int:
        """How many requests are at work."""
        return len(self._running)

    @property
    def lag_s(self) -> float:
        """The longest that the event loop was late in the last minute, in seconds, while there was much to do."""
        since = 0.0 if self._loop is None else self._loop.time() - LAG_WINDOW_S
        return max((lag_s for second, lag_s in self._lags if second >= since), default=0.0)

    @property
    def is_overloaded(self) -> bool:
        """Whether requests were refused just now."""
        return self._overload_since is not None

    def user_of(self, authorization: bytes | None, address: str) -> tuple[UserKey, int | None]:
        """Whose turn a request takes, and by what its `Authorization` header is known.

        By what an earlier request with the same header came to: it decides about turns, and never about access.
        """
        if authorization is None:
            return address, None
        token = hash(authorization)
        return self._known.get(token, address), token

    def enter(
        self, key: UserKey, token: int | None, state: RequestState, cycle: Cycle, *, always: bool = False
    ) -> Place | None:
        """Begin a request; None when it has to wait, unless it begins `always`."""
        now = self._now()
        self._note_user(key, now)
        if not (always or self._has_room(key, now)):
            return None
        place = Place(key, token, state, cycle, now)
        self._begin(place)
        return place

    def has_room(self, key: UserKey) -> bool:
        """Whether a request of a user would begin at once."""
        return self._has_room(key, self._now())

    def note_refused(self) -> None:
        """Count the handshake of a WebSocket, which cannot wait, and was refused."""
        now = self._now()
        self._count_refused(now)
        self._tick_soon(now)

    def refuses(self, key: UserKey, refuse: Callable[[], None]) -> bool:
        """Whether a request of a user has to be refused; `refuse` is called then, later."""
        now = self._now()
        self._note_user(key, now)
        if self._has_room(key, now) or not self._is_too_long(key, self._may_wait_s(now)):
            return False
        self._refuse(now, refuse)
        return True

    def wait(
        self,
        key: UserKey,
        token: int | None,
        state: RequestState,
        cycle: Cycle,
        *,
        start: Callable[[], None],
        refuse: Callable[[], None],
    ) -> Place | None:
        """Let a request that could not `enter` wait: `start` or `refuse` is called later. None: it is refused."""
        now = self._now()
        may_wait_s = self._may_wait_s(now)
        if self._is_too_long(key, may_wait_s):
            self._refuse(now, refuse)
            return None
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
            self._turns.append(key)
        place = Place(key, token, state, cycle, now)
        place.start, place.refuse, place.is_waiting, place.deadline = start, refuse, True, now + may_wait_s
        queue.append(place)
        if not self._waiting:
            self._waiting_since = now
        self._waiting += 1
        self._tick_soon(now)
        return place

    def leave(self, place: Place) -> None:
        """The response is complete, or the connection is lost; a second time does nothing."""
        if place.token is not None and place.state.viewer is not None and type(place.key) is str:
            self._known[place.token] = place.state.viewer.user_id
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        if place.is_counted:
            self._uncount(place)
            if self._waiting:
                self._start_waiting()
        elif place.is_waiting:
            place.is_waiting = False  # and its queue is rid of it at its turn
            self._waiting -= 1

    def _now(self) -> float:
        loop = self._loop
        if loop is None or loop.is_closed():
            loop = self._loop = asyncio.get_running_loop()
            self._timer = None
        return loop.time()

    def _note_user(self, key: UserKey, now: float) -> None:
        if key != self._last_key:
            if self._last_key is not None:
                self._shared_until = now + SHARED_S
            self._last_key = key

    def _is_too_long(self, key: UserKey, may_wait_s: float) -> bool:
        """Whether another request of a user would have to wait for longer, by what is ahead of it."""
        queue = self._queues.get(key)
        ahead = ((0 if queue is None else len(queue)) + 1) * max(1, len(self._turns))
        return min(ahead, self._waiting + 1) > self._rate * may_wait_s * PROMISED

    # At work

    def _has_room(self, key: UserKey, now: float) -> bool:
        if len(self._running) >= self._limit:
            if now - self._let_go_at > TICK_S:
                self._let_go_of_aged(now)
            if len(self._running) >= self._limit:
                return False
        return key not in self._queues and not self._has_its_share(key, now)

    def _has_its_share(self, key: UserKey, now: float) -> bool:
        """Whether a user has enough at work beside others, while the process is pressed or was so just now.

        An address may stand for many users, whose tokens have not been seen yet.
        """
        if now > self._shared_until:
            return False
        share = self._share if type(key) is int else max(self._share, self._limit / 2)
        return self._running_of.get(key, 0) >= share

    def _begin(self, place: Place) -> None:
        place.is_counted = True
        self._running_of[place.key] = self._running_of.get(place.key, 0) + 1
        self._running[place] = None
        if len(self._running) > USER_FEWEST and self._timer is None:
            self._tick_soon(place.since)

    def _uncount(self, place: Place) -> None:
        self._ended += 1
        place.is_counted = False
        del self._running[place]
        left = self._running_of[place.key] - 1
        if left:
            self._running_of[place.key] = left
        else:
            del self._running_of[place.key]

    def _let_go_of_aged(self, now: float) -> None:
        """Count no longer what waits for something else; a stream whose response has begun neither."""
        self._let_go_at = now
        aged_s = AGED_BUSY_S if self._is_pressed else AGED_S
        for place in [*self._running]:
            if now - place.since > aged_s or place.cycle.response_started or place.state.waits_elsewhere:
                self._uncount(place)

    def _start_waiting(self) -> None:
        """Begin what there is room for, a request of each user in turn; what has waited too long is refused instead."""
        now, passed_over = self._now(), 0
        while self._turns and len(self._running) < self._limit and passed_over < len(self._turns):
            key = self._turns.popleft()
            queue = self._queues[key]
            self._drop_expired(queue, now)
            if not queue:
                del self._queues[key]
            elif self._has_its_share(key, now):
                self._turns.append(key)
                passed_over += 1
            else:
                place = queue.popleft()
                if queue:
                    self._turns.append(key)
                else:
                    del self._queues[key]
                passed_over = 0
                self._waiting -= 1
                place.is_waiting = False
                place.since = now
                self._begin(place)
                place.start()

    # Refusals

    def _may_wait_s(self, now: float) -> float:
        """How long a request that comes now may wait."""
        is_standing = self._waiting and now - self._waiting_since > BURST_S
        return self._max_wait_s * STANDING if is_standing or self.is_overloaded else self._max_wait_s

    def _refuse(self, now: float, refuse: Callable[[], None]) -> None:
        self._count_refused(now)
        self._refusals.append((now, refuse))
        self._tick_soon(now)

    def _count_refused(self, now: float) -> None:
        self.refused += 1
        self._refused_at = now
        if self._overload_since is None:
            self._overload_since, self._refused_before = now, self.refused - 1
            logger.warning("There is too much to do: requests that would have to wait too long are refused with 503.")

    def _expire(self, now: float) -> None:
        for queue in self._queues.values():
            self._drop_expired(queue, now)

    def _drop_hopeless(self, now: float) -> None:
        """Refuse the last of each queue whose turn would come too late, by what begins lately."""
        turns = len(self._turns)
        for queue in self._queues.values():
            while queue and now + min(len(queue) * turns, self._waiting) / self._rate > queue[-1].deadline:
                place = queue.pop()
                if place.is_waiting:
                    place.is_waiting = False
                    self._waiting -= 1
                    self._refuse(now, place.refuse)

    def _drop_expired(self, queue: deque[Place], now: float) -> None:
        """Refuse what has waited too long at the head of a queue, and forget what has left."""
        while queue and (queue[0].deadline < now or not queue[0].is_waiting):
            place = queue.popleft()
            if place.is_waiting:
                place.is_waiting = False
                self._waiting -= 1
                self._refuse(now, place.refuse)

    def _write_refusals(self, now: float, took_s: float) -> None:
        free = int(took_s * REFUSALS_PER_S)
        due = now + took_s - REFUSED_WITHIN_S  # the next time may be as late
        while self._refusals and (free > 0 or self._refusals[0][0] < due):
            free -= 1
            self._refusals.popleft()[1]()

    # Ticks, while many requests are at work, or wait, or are to be refused, and until the overload is over

    def _tick_soon(self, now: float) -> None:
        if self._timer is None and self._loop is not None:
            self._ticked_at = self._measured_at = now
            self._used_s = time.thread_time()
            self._ended = 0
            self._is_behind = self._is_pressed = False
            self._share = USER_FEWEST if now <= self._shared_until else MOST
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        assert self._loop is not None  # noqa: S101 - it has called this
        now, used_s = self._loop.time(), time.thread_time()
        took_s = max(now - self._ticked_at, TICK_S)
        is_late, is_busy = took_s > TICK_S + LAG_S, used_s - self._used_s > took_s * BUSY
        self._is_behind, self._is_pressed = is_late and is_busy, is_late or is_busy
        self._share = USER_FEWEST if self._is_pressed else min(self._share + SHARE_GROWTH, MOST)
        self._ticked_at, self._used_s = now, used_s
        self._note_lag(now, took_s - TICK_S)
        try:
            self._set_limit(now)
            self._let_go_of_aged(now)
            self._expire(now)
            self._start_waiting()
            if self._is_measured:
                self._drop_hopeless(now)
            self._write_refusals(now, took_s)
            self._note_end(now)
        finally:  # whatever a request that begins may raise, the others get their turn
            goes_on = self._waiting or self._refusals or self.is_overloaded or len(self._running) > USER_FEWEST
            self._timer = self._loop.call_later(TICK_S, self._tick) if goes_on else None

    def _note_lag(self, now: float, lag_s: float) -> None:
        second = int(now)
        if self._lags and self._lags[-1][0] == second:
            lag_s = max(lag_s, self._lags.pop()[1])
        self._lags.append((second, lag_s))

    def _note_end(self, now: float) -> None:
        """Note the end of an overload, when nothing waits and nothing was refused for a while."""
        if self._overload_since is not None and not self._waiting and now - self._refused_at > CALM_S:
            refused, since = self.refused - self._refused_before, now - self._overload_since
            self._overload_since = None
            logger.info("There is no longer too much to do: %d requests were refused in %.1f s.", refused, since)

    def _set_limit(self, now: float) -> None:
        most = min(max(self._rate * WORK_S, FEWEST), MOST) if self._is_measured else FEWEST
        if self._is_behind:
            self._limit = max(self._limit * 0.8, most * BEHIND, FEWEST)
        elif self._waiting and len(self._running) >= self._limit:
            self._limit *= 1.25
        self._limit = min(self._limit, most)
        took_s = now - self._measured_at
        if took_s >= MEASURED_S:
            rate = self._ended / took_s
            is_full = self._is_pressed and len(self._running) >= FEWEST / 2
            if rate > self._rate or is_full or (self._waiting and now - self._waiting_since >= took_s):
                self._rate = max(LEAST_RATE, (self._rate + rate) / 2 if self._is_measured else rate)
                self._is_measured = True
            self._measured_at, self._ended = now, 0


def _nothing() -> None:
    """Do nothing."""
