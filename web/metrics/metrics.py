"""`/metrics` for Prometheus: what the requests cost, and the numbers that other parts keep anyway.

No label holds anything that a client sent. Several workers count in files of a directory they share, which
prometheus-client learns from the environment before it is imported; whichever of them is asked adds all of them up.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PUBLISH_S = 1.0
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Tally:
    """What was counted of one method, route and status since it was last shown: the time of an answer by its bucket."""

    __slots__ = ("answers", "buckets", "latency", "seconds")

    def __init__(self, answers: Counter, latency: Histogram) -> None:
        """The two are the library's, where what was counted is shown."""
        self.answers = answers
        self.latency = latency
        self.clear()

    def clear(self) -> None:
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.seconds = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Numbers that somebody keeps anyway, looked at when they are asked for: by the value of the label, or under ""."""

    name: str
    help: str
    read: Callable[[], Mapping[str, float]]
    label: str = ""
    rises: bool = True
    """Whether they only rise, as counts do."""


class Metrics:
    """The metrics of one process, and of those it shares a directory with."""

    def __init__(self, kept: Sequence[Kept], *, directory: str | None = None) -> None:
        """`directory` is the one that several workers share; None for a process that is alone."""
        self._directory = directory
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "moorings_requests", "Answers sent.", ["method", "route", "status"], registry=self._registry
        )
        self._latency = Histogram(
            "moorings_request_seconds",
            "Time until an answer began.",
            ["route"],
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._tallies: dict[tuple[str, str, int], Tally] = {}
        self._published: dict[tuple[str, str], float] = {}
        self._kept = [(numbers, self._metric_of(numbers)) for numbers in (*kept, *_OF_THE_PROCESS)]

    @property
    def are_shared(self) -> bool:
        """Whether other processes count too."""
        return self._directory is not None

    def note(self, scope: Mapping[str, Any], status: int, took_s: float) -> None:
        """Count an answer that begins."""
        self.count(self.tally(scope, status), took_s)

    def tally(self, scope: Mapping[str, Any], status: int) -> Tally:
        """What answers of one kind are counted in."""
        route, method = scope.get("route"), scope["method"]
        key = (method if method in METHODS else "OTHER", "other" if route is None else route.path, status)
        tally = self._tallies.get(key)
        if tally is None:
            path = key[1].rstrip("/") or "/"
            tally = Tally(self._requests.labels(key[0], path, status), self._latency.labels(path))
            self._tallies[key] = tally
        return tally

    def count(self, tally: Tally, took_s: float) -> None:
        """Count an answer in its tally."""
        tally.seconds += took_s
        tally.buckets[bisect_left(BUCKETS_S, took_s)] += 1
        if self._directory is not None:
            _show(tally)  # another process may be asked, or this one end

    async def endpoint(self, _request: Request) -> Response:
        """Everything, in Prometheus' text form."""
        self._publish()
        registry = self._registry
        if self._directory is not None:
            _forget_the_dead(Path(self._directory))
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._directory)  # type: ignore[no-untyped-call]  # it has no annotations
        return Response(generate_latest(registry), headers={"content-type": MEDIA_TYPE})

    async def publish_now_and_then(self) -> NoReturn:
        """Let the other processes see the numbers of this one."""
        while True:
            self._publish()
            await asyncio.sleep(PUBLISH_S)

    def _metric_of(self, numbers: Kept) -> Counter | Gauge:
        labels = [numbers.label] if numbers.label else []
        if numbers.rises:
            return Counter(numbers.name, numbers.help, labels, registry=self._registry)
        return Gauge(numbers.name, numbers.help, labels, registry=self._registry, multiprocess_mode="livesum")

    def _publish(self) -> None:
        for tally in self._tallies.values():
            _show(tally)
        for numbers, metric in self._kept:
            for value, number in numbers.read().items():
                child = metric.labels(value) if numbers.label else metric
                if isinstance(child, Gauge):
                    child.set(number)
                else:
                    child.inc(number - self._published.get((numbers.name, value), 0))
                    self._published[numbers.name, value] = number


def _show(tally: Tally) -> None:
    """Hand a tally over to the library, which takes one at a time otherwise: ten times what counting takes here."""
    answers = sum(tally.buckets)
    if answers:
        tally.answers.inc(answers)
        tally.latency._sum.inc(tally.seconds)
        for bucket, times in zip(tally.latency._buckets, tally.buckets, strict=True):
            if times:
                bucket.inc(times)
        tally.clear()


class RequestMetrics:
    """Counts every answer, with the time until it began; the outermost layer."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        started = perf_counter()

        def send_and_count(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                self._metrics.note(scope, message["status"], perf_counter() - started)
            return send(message)

        return self._app(scope, receive, send_and_count)


def _resident_bytes() -> float:
    """The memory this process has now; where there is no /proc, the most it had."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


_OF_THE_PROCESS = (
    Kept(name="moorings_processes", help="Processes that serve.", read=lambda: {"": 1}, rises=False),
    Kept(
        name="moorings_process_resident_bytes",
        help="Memory of all processes that serve.",
        read=lambda: {"": _resident_bytes()},
        rises=False,
    ),
    Kept(
        name="moorings_process_cpu_seconds",
        help="Processor time of all processes that serve, and that served.",
        read=lambda: {"": time.process_time()},
    ),
)


def _forget_the_dead(directory: Path) -> None:
    """Leave the gauges of processes that have ended out of the sums; what they counted stays."""
    for file in directory.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another process was asked too
                mark_process_dead(int(pid), str(directory))  # type: ignore[no-untyped-call]  # it has no annotations
