"""Spans made by OpenTelemetry's SDK, and exported over OTLP (HTTP with protobuf) by a thread of its own.

The SDK reads what it does from its own variables: the collector, its headers and certificates, the sampler, the queue.
A request never waits for the collector: what does not fit into the queue is lost.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from urllib.parse import urlsplit
from uuid import uuid4

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace import Tracer as OtelTracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from models.outage import Outage
from models.tracing.spans import NO_ATTRIBUTES, Attributes

LAST_EXPORT_S = 2.0
"""How long the end of a process waits for its last spans to be exported."""
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT, "server": SpanKind.SERVER}
_REPORTED_HERE = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal")
"""The loggers that have lines for every export that fails and every span that does not fit."""
_PROPAGATOR = TraceContextTextMapPropagator()


class SdkTracer:
    """The spans of one process."""

    def __init__(self) -> None:
        """Start the thread that exports; raises `ValueError` for variables that the SDK cannot use."""
        self._exporter = _ReportedExporter()
        self._processor = BatchSpanProcessor(self._exporter)
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer("moorings", version("moorings"))
        for name in _REPORTED_HERE:
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def start(
        self, name: str, attributes: Attributes, *, kind: str, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> SdkSpan | None:
        """See `Tracer`. A `traceparent` that is malformed, or there twice, counts as none (W3C Trace Context, 3.2)."""
        context = _context_of(headers) if headers else Context()
        span = self._tracer.start_span(name, context, _KINDS[kind], attributes)
        return SdkSpan(self._tracer, span) if span.is_recording() else None

    async def aclose(self) -> None:
        """Export what there is, for at most `LAST_EXPORT_S`: a collector that is away does not hold the end up."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]  # it has no annotations
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=close, name="last spans", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_EXPORT_S):
                await done.wait()
        if not done.is_set():
            self._exporter.shutdown()  # which ends its pause before it would try again


class SdkSpan:
    """A span that is sampled."""

    __slots__ = ("_span", "_tracer", "is_ended")

    def __init__(self, tracer: OtelTracer, span: OtelSpan) -> None:
        self._tracer = tracer
        self._span = span
        self.is_ended = False

    def child(self, name: str, attributes: Attributes = NO_ATTRIBUTES, *, kind: str = "internal") -> SdkSpan:
        """See `Span`."""
        context = set_span_in_context(self._span, Context())
        return SdkSpan(self._tracer, self._tracer.start_span(name, context, _KINDS[kind], attributes))

    def rename(self, name: str) -> None:
        """See `Span`."""
        if not self.is_ended:
            self._span.update_name(name)

    def set(self, attributes: Attributes) -> None:
        """See `Span`."""
        if not self.is_ended:
            self._span.set_attributes(attributes)

    def fail(self, error_type: str) -> None:
        """See `Span`."""
        if not self.is_ended:
            self._span.set_attribute("error.type", error_type)
            self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        """See `Span`."""
        if not self.is_ended:
            self.is_ended = True
            self._span.end()


class _ReportedExporter(SpanExporter):
    """OTLP over HTTP; that it does not work is one line of the log, and one that it works again."""

    def __init__(self) -> None:
        self._exporter = OTLPSpanExporter()
        place = urlsplit(self._exporter._endpoint)
        port = f":{place.port}" if place.port is not None else ""
        self._place = f"{place.hostname}{port}"
        self._outage = Outage(
            begins="Traces cannot be exported, and are lost until they can be", ends="Traces are exported again"
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export, called by the thread."""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._outage.end()
        else:
            self._outage.begin(f"{self._place} does not take them")
        return result

    def shutdown(self) -> None:
        """Export nothing more."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # it has no annotations

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """There is nothing kept here."""
        return True


def _context_of(headers: Sequence[tuple[bytes, bytes]]) -> Context:
    parents = [value.decode("latin-1") for name, value in headers if name == b"traceparent"]
    states = [value.decode("latin-1") for name, value in headers if name == b"tracestate"]
    if len(parents) != 1:
        return Context()
    carrier = {"traceparent": parents[0], **({"tracestate": ",".join(states)} if states else {})}
    return _PROPAGATOR.extract(carrier, Context())


def _resource() -> Resource:
    """What all spans have in common; the variables of OpenTelemetry win."""
    ours = {"service.name": "moorings", "service.version": version("moorings"), "service.instance.id": str(uuid4())}
    given = dict(Resource.create().attributes)
    if str(given.get("service.name", "")).startswith("unknown_service"):
        del given["service.name"]
    return Resource({**ours, **given})
