"""A load generator for tests, which counts answers by status and times each.

Requests come at a given rate, whether or not the answers do (open loop), or from a number of connections that ask again
once they are answered (closed loop). A latency of the open loop begins when the request was due, so that a gateway that
takes no more is not flattered.
"""

from __future__ import annotations

import asyncio
import gc
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from multiprocessing import get_context
from typing import NamedTuple, cast

import uvloop

TICK_S = 0.002
"""How often the open loop sends what is due."""
PATIENCE_S = 15.0
"""How long answers that are missing at the end are waited for."""
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_WITHOUT_BODY = frozenset({204, 304})


class Answered(NamedTuple):
    """One answer: its status, when it came (seconds since the start), and how long it took."""

    status: int
    at_s: float
    latency_s: float


@dataclass(kw_only=True, slots=True)
class Load:
    """What came of a load."""

    seconds: float
    """For which requests were due."""
    answers: list[Answered] = field(default_factory=list)
    sent: int = 0
    lost: int = 0
    """Requests whose connection was closed, or refused, or that were not answered at all."""
    refusals: list[bytes] = field(default_factory=list)
    """The first answers of a status other than 200, 201 and 204, whole."""

    @property
    def statuses(self) -> Counter[int]:
        """How many answers there were of each status."""
        return Counter(answer.status for answer in self.answers)

    def goodput(self, *, since_s: float = 0.0, until_s: float | None = None) -> float:
        """Successes a second between two times after the start; until the last request was due without an end."""
        end_s = self.seconds if until_s is None else until_s
        good = sum(1 for each in self.answers if each.status < 300 and since_s <= each.at_s < end_s)
        return good / (end_s - since_s)

    def latencies(self, *statuses: int) -> list[float]:
        """The latencies in seconds of these statuses, in ascending order; of successes without any."""
        return sorted(each.latency_s for each in self.answers if each.status in (statuses or (200, 201, 204)))

    def percentile(self, part: float, *statuses: int) -> float:
        """The latency in seconds that a part of the answers (0.99) did not exceed; 0 without answers."""
        latencies = self.latencies(*statuses)
        return latencies[min(len(latencies) - 1, int(len(latencies) * part))] if latencies else 0.0


async def open_loop(
    address: tuple[str, int],
    requests: Sequence[bytes],
    *,
    rate: float,
    seconds: float,
    connections: int = 256,
    sources: Sequence[str] = ("127.0.0.1",),
) -> Load:
    """Send the requests in turn, `rate` a second, on at most that many connections, from the sources in turn."""
    load = Load(seconds=seconds)
    course = _Course(load, cycle(requests), address, cycle(sources), connections)
    course.started = started = time.perf_counter()
    due = 0
    while (elapsed := time.perf_counter() - started) < seconds:
        while due < elapsed * rate:
            course.offer(started + due / rate)
            due += 1
        await asyncio.sleep(TICK_S)
    await course.finish()
    return load


async def closed_loop(
    address: tuple[str, int],
    requests: Sequence[bytes],
    *,
    seconds: float,
    connections: int = 64,
    sources: Sequence[str] = ("127.0.0.1",),
    pause_s: float = 0.0,
) -> Load:
    """Let each connection ask, wait for the answer, pause, and ask again."""
    load = Load(seconds=seconds)
    course = _Course(load, cycle(requests), address, cycle(sources), connections)
    course.started = time.perf_counter()
    course.asks_until = course.started + seconds
    course.pause_s = pause_s
    for _ in range(connections):
        course.offer(time.perf_counter())
    await asyncio.sleep(seconds)
    await course.finish()
    return load


@contextmanager
def load_process() -> Iterator[LoadProcess]:
    """A process of its own for loads.

    In a thread of the tests' process, what else that process measures would wait for the same interpreter lock, 5 ms
    each time, and the other way round. Its collector is off, in whose pauses nobody measures.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        executor.submit(gc.disable).result()  # so that it is there when the first load is to begin
        yield LoadProcess(executor)


class LoadProcess:
    """Carries loads out, one at a time."""

    def __init__(self, executor: Executor) -> None:
        """`executor` has one process."""
        self._executor = executor

    async def closed_loop(
        self,
        address: tuple[str, int],
        requests: Sequence[bytes],
        *,
        seconds: float,
        connections: int,
        pause_s: float = 0.0,
    ) -> Load:
        """What comes of the load, as `closed_loop`."""
        make = partial(closed_loop, address, requests, seconds=seconds, connections=connections, pause_s=pause_s)
        return await asyncio.get_running_loop().run_in_executor(self._executor, _on_uvloop, make)


def _on_uvloop(make: Callable[[], Coroutine[None, None, Load]]) -> Load:
    """Run a load in a loop that costs a third of asyncio's."""
    return uvloop.run(make())


@contextmanager
def no_collector() -> Iterator[None]:
    """Without the collector of this process, whose work would look like slow answers: up to seconds in the tests."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Course:
    """What the connections of one load share."""

    def __init__(
        self,
        load: Load,
        requests: Iterator[bytes],
        address: tuple[str, int],
        sources: Iterator[str],
        connections: int,
    ) -> None:
        self.load = load
        self.started = 0.0
        self.asks_until: float | None = None
        self.pause_s = 0.0
        self.idle: list[_Talker] = []
        self._requests = requests
        self._address = address
        self._sources = sources
        self._left = connections
        self._due: deque[float] = deque()
        self._waiting = 0
        self._talkers: list[_Talker] = []
        self._opening: set[asyncio.Task[None]] = set()

    def offer(self, due: float) -> None:
        """Send a request on an idle connection, or on a new one, or once a connection has its answer."""
        self._waiting += 1
        while self.idle:
            talker = self.idle.pop()
            if talker.is_open:
                self._ask(talker, due)
                return
        self._due.append(due)
        if self._left > 0:
            self._left -= 1
            task = asyncio.get_running_loop().create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self) -> None:
        talker = _Talker(self)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: talker, *self._address, local_addr=(next(self._sources), 0))
        except OSError:
            self.give_up()
            return
        self._talkers.append(talker)
        self.be_idle(talker)

    def be_idle(self, talker: _Talker) -> None:
        """Let a connection take the next request that is due."""
        if self._due:
            self._ask(talker, self._due.popleft())
        elif self.asks_until is None:
            self.idle.append(talker)
        elif time.perf_counter() + self.pause_s < self.asks_until:
            self._waiting += 1
            if self.pause_s:
                asyncio.get_running_loop().call_later(self.pause_s, self._ask_again, talker)
            else:
                self._ask(talker, time.perf_counter())

    def _ask_again(self, talker: _Talker) -> None:
        if talker.is_open:
            self._ask(talker, time.perf_counter())
        else:
            self._waiting -= 1

    def _ask(self, talker: _Talker, due: float) -> None:
        self.load.sent += 1
        talker.ask(next(self._requests), due)

    def note(self, status: int, due: float, whole: bytes) -> None:
        """An answer is whole."""
        now = time.perf_counter()
        self._waiting -= 1
        self.load.answers.append(Answered(status, now - self.started, now - due))
        if status not in (200, 201, 204) and len(self.load.refusals) < 100:
            self.load.refusals.append(whole)

    def give_up(self) -> None:
        """A request will not be answered; another connection may be opened in the place of its own."""
        self._left += 1
        self._waiting -= 1
        self.load.lost += 1

    async def finish(self) -> None:
        """Wait for what is under way, then close."""
        deadline = time.perf_counter() + PATIENCE_S
        while (self._opening or self._waiting > len(self._due)) and time.perf_counter() < deadline:  # noqa: ASYNC110 - with a deadline
            await asyncio.sleep(TICK_S)
        self.load.lost += max(0, self._waiting)
        for talker in self._talkers:
            talker.close()


class _Talker(asyncio.Protocol):
    """One connection, with one request under way at most."""

    def __init__(self, course: _Course) -> None:
        self._course = course
        self._got = b""
        self._due: float | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        """Whether a request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, due: float) -> None:
        """Send a request."""
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        got = self._got = self._got + data if self._got else data
        end = got.find(_HEAD_END)
        if end < 0:
            return
        status = int(got[9:12])
        length = _LENGTH.search(got, 0, end + 2)
        body = 0 if status in _WITHOUT_BODY or length is None else int(length[1])
        if len(got) < end + 4 + body:
            return
        self._got = b""
        due, self._due = self._due, None
        assert due is not None, "an answer without a request"
        self._course.note(status, due, got)
        if b"\r\nconnection: close" in got[: end + 2].lower():
            self.close()
        else:
            self._course.be_idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._due is not None:
            self._due = None
            self._course.give_up()

    def close(self) -> None:
        """End the connection."""
        self._due = None
        if self._transport is not None:
            self._transport.abort()
