"""The load generator: closed-loop connections that send prepared requests and check every answer.

Nothing is parsed beyond the status, the content length and how often a marker is in the body, so that one core can ask
some 50,000 times a second and is not what is measured.
"""

from __future__ import annotations

import asyncio
import re
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import cast

import uvloop

from tests.support.gateway.codings import decoded
from tests.support.gateway.load import no_collector

PATIENCE_S = 15.0
"""How long the answers that are still missing at the end are waited for."""

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_CODING = re.compile(rb"\r\ncontent-encoding: *(gzip|zstd)(?=\r\n)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What a good answer is: its status, and how often the marker is in its body."""

    status: bytes = b"200"
    marker: bytes
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """The bytes of one request, and what has to come back; `ids` are those of the destinations that it shows."""

    wire: bytes
    expected: Expected
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What a load found. `latencies_s` has one entry for each good answer; `errors` counts the others by sentence."""

    latencies_s: array[float]
    errors: Mapping[str, int]
    seconds: float
    cpu_s: float

    @property
    def requests(self) -> int:
        """How many good answers there were."""
        return len(self.latencies_s)

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return self.requests / self.seconds


def run_load(port: int, requests: Iterable[Request], *, seconds: float, connections: int = 32) -> Run:
    """Ask 127.0.0.1 for that long, the requests in turn, each connection waiting for its answer before it goes on.

    An iterator goes on where it is; anything else is begun anew, and again after its end.
    """
    with uvloop_runner() as runner:
        return runner.run(load(port, requests, seconds=seconds, connections=connections))


async def load(port: int, requests: Iterable[Request], *, seconds: float, connections: int = 32) -> Run:
    """As `run_load`, in the loop that runs."""
    loop = asyncio.get_running_loop()
    asked = requests if isinstance(requests, Iterator) else cycle(requests)
    course = _Course(asked, connections, loop.create_future())
    talkers = [_Talker(course) for _ in range(connections)]
    with no_collector():  # which takes a while, and a server waits for no request so long
        for talker in talkers:
            await loop.create_connection(lambda talker=talker: talker, "127.0.0.1", port)  # type: ignore[misc]  # mypy does not infer a lambda's default
        cpu, started = time.process_time(), time.perf_counter()
        course.deadline = started + seconds
        for talker in talkers:
            talker.ask()
        try:
            async with asyncio.timeout(seconds + PATIENCE_S):
                await course.done
        except TimeoutError:
            course.errors[f"no answer within {PATIENCE_S:.0f} s after the end"] += course.open
        took, spent = time.perf_counter() - started, time.process_time() - cpu
    for talker in talkers:
        talker.close()
    return Run(latencies_s=course.latencies_s, errors=dict(course.errors), seconds=took, cpu_s=spent)


@contextmanager
def uvloop_runner() -> Iterator[asyncio.Runner]:
    """A runner whose loop is uvloop's."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@dataclass(slots=True)
class _Course:
    """What the connections of one load share."""

    requests: Iterator[Request]
    open: int
    done: asyncio.Future[None]
    deadline: float = 0.0
    latencies_s: array[float] = field(default_factory=lambda: array("d"))
    errors: Counter[str] = field(default_factory=Counter)

    def leave(self) -> None:
        """One connection asks no more."""
        self.open -= 1
        if self.open == 0 and not self.done.done():
            self.done.set_result(None)


class _Talker(asyncio.Protocol):
    """One connection: asks, waits for the whole answer, asks again; a lost connection is an error and stays lost."""

    __slots__ = ("_asked_at", "_course", "_expected", "_got", "_is_waiting", "_transport")

    def __init__(self, course: _Course) -> None:
        self._course = course
        self._got = b""
        self._is_waiting = False
        self._asked_at = 0.0
        self._expected: Expected | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self) -> None:
        """Send the next request."""
        if self._transport is None or self._transport.is_closing():
            self._give_up("the connection was closed before a request")
            return
        request = next(self._course.requests)
        self._expected = request.expected
        self._is_waiting = True
        self._asked_at = time.perf_counter()
        self._transport.write(request.wire)

    def data_received(self, data: bytes) -> None:
        if self._got:
            data = self._got + data
        end = data.find(_HEAD_END)
        length = None if end < 0 else _CONTENT_LENGTH.search(data, 0, end + 2)
        if end >= 0 and length is None:
            self._give_up("an answer without a content length")
            return
        if length is None or len(data) < end + 4 + int(length[1]):
            self._got = data
            return
        self._got = b""
        now = time.perf_counter()
        error = _error(data, end + 4, end + 4 + int(length[1]), self._expected)
        if error is None:
            self._course.latencies_s.append(now - self._asked_at)
        else:
            self._course.errors[error] += 1
        if now < self._course.deadline:
            self.ask()
        else:
            self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_waiting:
            self._give_up("the connection was closed before the answer was whole")

    def close(self) -> None:
        """End the connection."""
        self._is_waiting = False
        if self._transport is not None:
            self._transport.abort()

    def _give_up(self, error: str) -> None:
        self._course.errors[error] += 1
        self._leave()
        self.close()

    def _leave(self) -> None:
        self._is_waiting = False
        self._course.leave()


def plain(head: bytes, body: bytes) -> bytes:
    """A body out of the content coding that its head names, which browsers take and the gateway sends."""
    coding = _CODING.search(head)
    return decoded(body, None if coding is None else coding[1].lower())


def _error(data: bytes, start: int, end: int, expected: Expected | None) -> str | None:
    """What is wrong with an answer whose body lies from `start` to `end`; None when it is good."""
    if expected is None or len(data) != end:
        return "more bytes than the content length says"
    if data[9:12] != expected.status:
        return f"status {data[9:12].decode('latin-1')} instead of {expected.status.decode()}"
    found = (
        data.count(expected.marker, start)
        if _CODING.search(data, 0, start) is None
        else plain(data[:start], data[start:]).count(expected.marker)
    )
    if found != expected.count:
        return f"{found} × {expected.marker.decode()} instead of {expected.count}"
    return None
