"""Subscribers of live events: what an idle one takes of the gateway's memory, and how late events reach them all."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from benchmarks.contenders import LIVE
from benchmarks.data import Stage
from benchmarks.dialects import Caller, Rest
from benchmarks.figures import percentile
from benchmarks.load import uvloop_runner
from benchmarks.machine import BenchmarkRefused, Cores
from benchmarks.processes import resident_bytes
from benchmarks.servers import Server, running

SUBSCRIBERS = 1_000
EVENTS_PER_S = 100
_SECONDS = 10.0
_SETTLE_S = 2.0
_DEADLINE_S = 30.0
_WRITERS = 10
_ID = re.compile(rb"^id: BackupDestinationEvent:(\d+)$", re.MULTILINE)
_DOCUMENT = "subscription { backupDestinationEvents { id ... on BackupDestinationUpdated { changedFields } } }"
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Live:
    """What `SUBSCRIBERS` streams of server-sent events cost and got, of one user each."""

    kb_of_idle: float
    """Of resident memory, in kB of 1,000 bytes, for each stream in which nothing happens."""
    p50_ms: float
    p99_ms: float
    """From the commit of a change to its arrival, at `EVENTS_PER_S` changes a second over all users."""
    events: int


def measure_live(stage: Stage, callers: Sequence[Caller], cores: Cores) -> Live:
    """Start a gateway, subscribe, wait, write; raises `BenchmarkRefused` when an event is missing."""
    with running([LIVE], stage, cores) as servers, uvloop_runner() as runner:
        return runner.run(_measured(servers[LIVE.name], callers[:SUBSCRIBERS]))


async def _measured(server: Server, callers: Sequence[Caller]) -> Live:
    await _write(server, callers[:_WRITERS], ["before"] * _WRITERS, pause_s=0)  # what the first of a kind loads
    one = await _subscribed(server, callers[0])
    before = resident_bytes(server.pid)
    streams = [one, *[await _subscribed(server, caller) for caller in callers[1:]]]
    await asyncio.sleep(_SETTLE_S)
    kb = (resident_bytes(server.pid) - before) / 1_000 / max(1, len(callers) - 1)
    count = int(EVENTS_PER_S * _SECONDS)
    shares = [callers[n::_WRITERS] for n in range(_WRITERS)]
    for stream in streams:
        stream.late_s.clear()
    await asyncio.gather(
        *(
            _write(server, share, [f"Live {n}" for n in range(count // _WRITERS)], pause_s=_WRITERS / EVENTS_PER_S)
            for share in shares
        )
    )
    deadline = time.monotonic() + _DEADLINE_S
    while sum(len(stream.late_s) for stream in streams) < count:
        if time.monotonic() > deadline:
            raise BenchmarkRefused(f"Of {count} events only {sum(len(s.late_s) for s in streams)} arrived.")
        await asyncio.sleep(0.05)
    late_ms = [late_s * 1_000 for stream in streams for late_s in stream.late_s]
    for stream in streams:
        stream.close()
    return Live(kb_of_idle=kb, p50_ms=percentile(late_ms, 0.5), p99_ms=percentile(late_ms, 0.99), events=len(late_ms))


class _Stream(asyncio.Protocol):
    """A stream that notes how late each event is: its ID begins with the millisecond of its statement."""

    def __init__(self, request: bytes) -> None:
        self.begun = asyncio.get_running_loop().create_future()
        self.late_s: list[float] = []
        self._request = request
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.begun.done():
            self.begun.set_result(data)
        now = time.time()
        lines, _, self._rest = (self._rest + data).rpartition(b"\n")
        self.late_s += [now - (int(found) >> 21) / 1_000 for found in _ID.findall(lines + b"\n")]

    def close(self) -> None:
        """End the stream."""
        if self._transport is not None:
            self._transport.close()


async def _subscribed(server: Server, caller: Caller) -> _Stream:
    body = orjson.dumps({"query": _DOCUMENT})
    request = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {caller.token}\r\n"
        f"Accept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(lambda: _Stream(request), "127.0.0.1", server.port)
    answer = await asyncio.wait_for(stream.begun, _DEADLINE_S)
    if answer[9:12] != b"200":
        raise BenchmarkRefused(f"A subscription was answered {answer!r}.\n{server.log_end()}")
    return stream


async def _write(server: Server, callers: Sequence[Caller], labels: Sequence[str], *, pause_s: float) -> None:
    """Change one destination after another, each at its time, over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    began = time.monotonic()
    for number, label in enumerate(labels):
        await asyncio.sleep(max(0.0, began + number * pause_s - time.monotonic()))
        writer.write(Rest().update(callers[number % len(callers)], f"{label} of {began}").wire)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if head[9:12] != b"200" or length is None:
            raise BenchmarkRefused(f"A change was answered {head[:40]!r}.\n{server.log_end()}")
        await reader.readexactly(int(length[1]))
    writer.close()
