"""Subscribers of live events: how late events reach them all, and what an idle one takes of the server's memory."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random

from benchmarks.contenders import LIVE, Listened
from benchmarks.data import Committed, PostgresStage
from benchmarks.dialects import Caller
from benchmarks.figures import median, percentile
from benchmarks.listeners import Listener, listener
from benchmarks.load import uvloop_runner
from benchmarks.machine import BenchmarkRefused, Cores
from benchmarks.processes import cpu_seconds, resident_bytes
from benchmarks.servers import Server, running
from tests.support.gateway.load import no_collector

SUBSCRIBERS = 1_000
EVENTS_PER_S = 100
ROUNDS = 3
_SECONDS = 10.0
_WARM_UP_S = 3.0
_SETTLE_S = 2.0
_DEADLINE_S = 30.0
_WRITERS = 10
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lateness:
    """What `SUBSCRIBERS` subscriptions of one user each got from one contender over one transport, and cost it.

    From the commit of a change, by PostgreSQL's clock, to its arrival, at `EVENTS_PER_S` changes a second over all.
    """

    p50_ms: float
    p99_ms: float
    events: int
    kb_of_idle: float
    """Of resident memory, in kB of 1,000 bytes, for each subscription in which nothing happens."""
    server_us: float
    """Of CPU for each change, its writing included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Live:
    """The medians of the rounds, by what was listened to, in the order of `LIVE`."""

    found: Mapping[Listened, Lateness]


def measure_live(stage: PostgresStage, callers: Sequence[Caller], cores: Cores, rounds: int = ROUNDS) -> Live:
    """Start each contender in turn, subscribe, wait, write; raises `BenchmarkRefused` when an event is missing."""
    found: dict[Listened, list[Lateness]] = {one: [] for one in LIVE}
    for number in range(rounds):
        for one in LIVE:
            found[one].append(_measure_one(stage, one, callers[:SUBSCRIBERS], cores))
        print(f"{SUBSCRIBERS} subscribers: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return Live(found={one: _medians(those) for one, those in found.items()})


def _measure_one(stage: PostgresStage, one: Listened, callers: Sequence[Caller], cores: Cores) -> Lateness:
    with running([one.contender], stage, cores) as servers, uvloop_runner() as runner:
        server = servers[one.contender.name]
        try:
            heard = runner.run(_heard(server, one, callers))
            late_ms = lateness_ms(heard.listeners, stage.committed(), since_s=heard.since_s)
        except (BenchmarkRefused, ConnectionError, TimeoutError) as error:
            raise BenchmarkRefused(f"{one.title}: {error!r}\n{server.log_end()}") from None
    stage.restore()
    return Lateness(
        p50_ms=percentile(late_ms, 0.5),
        p99_ms=percentile(late_ms, 0.99),
        events=len(late_ms),
        kb_of_idle=heard.kb_of_idle,
        server_us=heard.server_us,
    )


def lateness_ms(listeners: Iterable[Listener], committed: Iterable[Committed], *, since_s: float) -> Sequence[float]:
    """How late each event since then was at its subscriber, in milliseconds.

    Raises `BenchmarkRefused` unless each got the events of its user since it began, each once and in their order.
    """
    of_users: dict[int, list[Committed]] = defaultdict(list)
    for event in committed:
        of_users[event.user_id].append(event)
    late_ms: list[float] = []
    for one in listeners:
        events = of_users[one.caller.user_id]
        wanted = [event for event in events if event.at_s > one.begun_at_s]
        if [id_ for id_, _ in one.arrived] != [event.id for event in wanted]:
            raise BenchmarkRefused(f"A subscriber got {one.arrived} instead of {wanted}.")
        pairs = zip(wanted, one.arrived, strict=True)
        late_ms += [(at_s - event.at_s) * 1_000 for event, (_, at_s) in pairs if event.at_s > since_s]
    return late_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class _Heard:
    """What the subscribers of one contender noted, and what they and the changes since then cost it."""

    listeners: Sequence[Listener]
    since_s: float
    kb_of_idle: float
    server_us: float


async def _heard(server: Server, one: Listened, callers: Sequence[Caller]) -> _Heard:
    written = _Writing(server, one, callers)
    await written.at_once(_WRITERS)  # what the first of a kind loads
    first = await _subscribed(server, one, callers[0])
    before = resident_bytes(server.pid)
    listeners = [first, *[await _subscribed(server, one, caller) for caller in callers[1:]]]
    await asyncio.sleep(_SETTLE_S)
    kb = (resident_bytes(server.pid) - before) / 1_000 / max(1, len(callers) - 1)
    with no_collector():
        count = await written.at_rate(_WARM_UP_S)
        await _arrived(listeners, count)
        cpu_s, since_s = cpu_seconds(server.pid), time.time()
        measured = await written.at_rate(_SECONDS)
        await _arrived(listeners, count + measured)
        cpu_s = cpu_seconds(server.pid) - cpu_s
    for each in listeners:
        each.close()
    return _Heard(listeners=listeners, since_s=since_s, kb_of_idle=kb, server_us=cpu_s / measured * 1e6)


async def _subscribed(server: Server, one: Listened, caller: Caller) -> Listener:
    loop = asyncio.get_running_loop()
    _, begun = await loop.create_connection(
        lambda: listener(one.transport, caller, server.port), "127.0.0.1", server.port
    )
    await asyncio.wait_for(begun.begun, _DEADLINE_S)
    return begun


async def _arrived(listeners: Sequence[Listener], count: int) -> None:
    """Wait until so many events are there in all."""
    deadline = time.monotonic() + _DEADLINE_S
    while sum(len(one.arrived) for one in listeners) < count:
        if time.monotonic() > deadline:
            arrived = sum(len(one.arrived) for one in listeners)
            ends = Counter(one.failure for one in listeners if one.failure)
            raise BenchmarkRefused(f"Of {count} events only {arrived} arrived; subscriptions that ended: {dict(ends)}.")
        await asyncio.sleep(0.05)


class _Writing:
    """Changes of labels by a contender's own GraphQL API, one user after another, each label another."""

    def __init__(self, server: Server, one: Listened, callers: Sequence[Caller]) -> None:
        self._server = server
        dialect = one.contender.dialects["graphql"]
        began = time.time_ns()  # in each label, for one that is there already is no change, and so no event
        self._requests = (dialect.update(caller, f"Live {began} {n}") for n, caller in enumerate(cycle(callers)))

    async def at_once(self, count: int) -> None:
        """Change so many, one after another."""
        await self._write([0.0] * count)

    async def at_rate(self, seconds: float) -> int:
        """Change `EVENTS_PER_S` a second, each at a time of its own by chance, the same for all; returns how many."""
        chance = Random(SUBSCRIBERS)  # noqa: S311 - a load
        times = sorted(chance.uniform(0, seconds) for _ in range(int(EVENTS_PER_S * seconds)))
        await asyncio.gather(*(self._write(times[number::_WRITERS]) for number in range(_WRITERS)))
        return len(times)

    async def _write(self, times_s: Sequence[float]) -> None:
        """Change one at each of these times from now, over one connection; raises `BenchmarkRefused`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        began = time.monotonic()
        for time_s in times_s:
            await asyncio.sleep(max(0.0, began + time_s - time.monotonic()))
            request = next(self._requests)
            writer.write(request.wire)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = b"" if length is None else await reader.readexactly(int(length[1]))
            if head[9:12] != b"200" or body.count(request.expected.marker) != request.expected.count:
                raise BenchmarkRefused(f"A change was answered {head + body!r}.")
        writer.close()


def _medians(rounds: Sequence[Lateness]) -> Lateness:
    return Lateness(
        p50_ms=median(one.p50_ms for one in rounds),
        p99_ms=median(one.p99_ms for one in rounds),
        events=sum(one.events for one in rounds),
        kb_of_idle=median(one.kb_of_idle for one in rounds),
        server_us=median(one.server_us for one in rounds),
    )
