"""`/metrics` for Prometheus: what requests cost, and the numbers that other parts count themselves.

No label holds anything that a client sent. Several workers count in files of a directory they share, which
prometheus-client learns from the environment before it is imported; each of them can add up all of them.
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
from typing import Any, Literal, NoReturn

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PUBLISH_S = 1.0
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RequestCounter:
    """Responses of one method, route and status since the last publication, and their times by bucket."""

    __slots__ = ("answers", "buckets", "latency", "seconds")

    def __init__(self, answers: Counter, latency: Histogram) -> None:
        """The two metrics of the library that the counts are published in."""
        self.answers = answers
        self.latency = latency
        self.clear()

    def clear(self) -> None:
        """Begin anew, after a publication."""
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.seconds = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalMetric:
    """Numbers that another part counts, read at publication: by the value of the label, or under ""."""

    name: str
    help: str
    read: Callable[[], Mapping[str, float]]
    label: str = ""
    is_counter: bool = True
    """Whether it is a counter, which never falls; else a gauge."""
    is_sum: bool = True
    """Whether a gauge is added up over processes; else the largest counts."""


class Metrics:
    """The metrics of one process, and of those it shares a directory with."""

    def __init__(
        self,
        external: Sequence[ExternalMetric],
        *,
        directory: str | None = None,
        of_all: Callable[[], Awaitable[bytes]] | None = None,
    ) -> None:
        """`directory` is the one that several workers share; None for a process that is alone.

        `of_all` gives the text of metrics that are of all processes anyway, and are not added up.
        """
        self._of_all = of_all
        self._directory = directory
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "moorings_requests", "Responses sent.", ["method", "route", "status"], registry=self._registry
        )
        self._latency = Histogram(
            "moorings_request_seconds",
            "Time until a response began.",
            ["route"],
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._counters: dict[tuple[str, str, int], RequestCounter] = {}
        self._published: dict[tuple[str, str], float] = {}
        self._external = [(numbers, self._metric_of(numbers)) for numbers in (*external, *_OF_THE_PROCESS)]

    @property
    def are_shared(self) -> bool:
        """Whether other processes count too."""
        return self._directory is not None

    def observe(self, scope: Mapping[str, Any], status: int, took_s: float) -> None:
        """Count a response that begins, `took_s` seconds after its request."""
        self.count(self.counter_of(scope, status), took_s)

    def counter_of(self, scope: Mapping[str, Any], status: int) -> RequestCounter:
        """What responses of one method, route and status are counted in."""
        route, method = scope.get("route"), scope["method"]
        key = (method if method in METHODS else "OTHER", "other" if route is None else route.path, status)
        counter = self._counters.get(key)
        if counter is None:
            path = key[1].rstrip("/") or "/"
            counter = RequestCounter(self._requests.labels(key[0], path, status), self._latency.labels(path))
            self._counters[key] = counter
        return counter

    def count(self, counter: RequestCounter, took_s: float) -> None:
        """Count a response, `took_s` seconds after its request."""
        counter.seconds += took_s
        counter.buckets[bisect_left(BUCKETS_S, took_s)] += 1
        if self._directory is not None:
            _publish_counter(counter)  # another process may be scraped next, or this one end

    async def endpoint(self, _request: Request) -> Response:
        """Everything, in Prometheus' text form."""
        text, media_type = await self.text()
        return Response(text, headers={"content-type": media_type})

    async def text(self) -> tuple[bytes, str]:
        """Everything, and its media type."""
        self._publish()
        registry = self._registry
        if self._directory is not None:
            _forget_ended(Path(self._directory))
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._directory)  # type: ignore[no-untyped-call]  # it has no annotations
        of_all = b"" if self._of_all is None else await self._of_all()
        return generate_latest(registry) + of_all, MEDIA_TYPE

    async def publish_periodically(self) -> NoReturn:
        """Let the other processes see the numbers of this one, every `PUBLISH_S` seconds."""
        while True:
            self._publish()
            await asyncio.sleep(PUBLISH_S)

    def _metric_of(self, numbers: ExternalMetric) -> Counter | Gauge:
        labels = [numbers.label] if numbers.label else []
        if numbers.is_counter:
            return Counter(numbers.name, numbers.help, labels, registry=self._registry)
        mode: Literal["livesum", "livemax"] = "livesum" if numbers.is_sum else "livemax"
        return Gauge(numbers.name, numbers.help, labels, registry=self._registry, multiprocess_mode=mode)

    def _publish(self) -> None:
        for counter in self._counters.values():
            _publish_counter(counter)
        for numbers, metric in self._external:
            for value, number in numbers.read().items():
                child = metric.labels(value) if numbers.label else metric
                if isinstance(child, Gauge):
                    child.set(number)
                else:
                    child.inc(number - self._published.get((numbers.name, value), 0))
                    self._published[numbers.name, value] = number


def _publish_counter(counter: RequestCounter) -> None:
    """Add a counter to the library's metrics at once: one call a response would cost ten times what counting does."""
    answers = sum(counter.buckets)
    if answers:
        counter.answers.inc(answers)
        counter.latency._sum.inc(counter.seconds)
        for bucket, times in zip(counter.latency._buckets, counter.buckets, strict=True):
            if times:
                bucket.inc(times)
        counter.clear()


class RequestMetrics:
    """Counts every response, with the time until it began; the outermost middleware."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        started = perf_counter()

        def send_and_count(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                self._metrics.observe(scope, message["status"], perf_counter() - started)
            return send(message)

        return self._app(scope, receive, send_and_count)


def _resident_bytes() -> float:
    """The memory this process has now; where there is no /proc, the most it had."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


_OF_THE_PROCESS = (
    ExternalMetric(name="moorings_processes", help="Processes that serve.", read=lambda: {"": 1}, is_counter=False),
    ExternalMetric(
        name="moorings_process_resident_bytes",
        help="Memory of all processes that serve.",
        read=lambda: {"": _resident_bytes()},
        is_counter=False,
    ),
    ExternalMetric(
        name="moorings_process_cpu_seconds",
        help="Processor time of all processes that serve, and that served.",
        read=lambda: {"": time.process_time()},
    ),
)


def _forget_ended(directory: Path) -> None:
    """Leave the gauges of processes that have ended out of the sums; what they counted stays."""
    for file in directory.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another process is scraped at the same time
                mark_process_dead(int(pid), str(directory))  # type: ignore[no-untyped-call]  # it has no annotations
