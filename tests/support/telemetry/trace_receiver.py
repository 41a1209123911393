"""A collector of this process: takes OTLP over HTTP with protobuf, and keeps every span as the protocol has it."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

DEADLINE_S = 20.0
MEDIA_TYPE = "application/x-protobuf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSpan:
    """One span, with the attributes of its resource."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    """Empty at the root of a trace."""
    attributes: Mapping[str, object]
    resource: Mapping[str, object]
    has_failed: bool
    seconds: float


class TraceReceiver:
    """The collector; `url` is what OTEL_EXPORTER_OTLP_ENDPOINT is set to."""

    def __init__(self, port: int = 0) -> None:
        self.bodies: list[bytes] = []
        """What was sent, as it came."""
        self._spans: list[ReceivedSpan] = []
        self._hangs = threading.Event()
        self._goes_on = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more."""
        self._goes_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Answer nothing in the block."""
        self._goes_on.clear()
        self._hangs.set()
        try:
            yield
        finally:
            self._hangs.clear()
            self._goes_on.set()

    @property
    def spans(self) -> list[ReceivedSpan]:
        """All there are so far."""
        return list(self._spans)

    def trace(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans of one trace so far."""
        return [span for span in self.spans if span.trace_id == trace_id]

    def wait(self, condition: Callable[[list[ReceivedSpan]], bool]) -> list[ReceivedSpan]:
        """Every span, once a condition is true of them."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition(self.spans):
            assert time.monotonic() < deadline, f"of the spans {[span.name for span in self.spans]} it is not true"
            time.sleep(0.02)
        return self.spans

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver._hangs.is_set():
                    receiver._goes_on.wait()
                assert self.path == "/v1/traces"
                assert self.headers["Content-Type"] == MEDIA_TYPE
                receiver._take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", MEDIA_TYPE)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler

    def _take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.bodies.append(body)
        for of_resource in request.resource_spans:
            resource = _values(of_resource.resource.attributes)
            for of_scope in of_resource.scope_spans:
                self._spans += [_received(span, resource) for span in of_scope.spans]


@contextmanager
def receiving() -> Iterator[TraceReceiver]:
    """A collector for the block."""
    receiver = TraceReceiver()
    try:
        yield receiver
    finally:
        receiver.close()


def _received(span: SpanMessage, resource: Mapping[str, object]) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        kind=SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes=_values(span.attributes),
        resource=resource,
        has_failed=span.status.code == Status.STATUS_CODE_ERROR,
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )


def _values(attributes: Iterable[KeyValue]) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in attributes}
