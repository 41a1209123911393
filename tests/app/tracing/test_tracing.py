"""Traces of real gateways, received over OTLP: which spans there are, how they hang together, and what is in them."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from app.settings import SettingsRefused
from app.tracing.opening import open_tracer
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.stoppable_postgres import own_postgres
from tests.support.gateway.configured import configured
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.processes import until
from tests.support.ports import free_port
from tests.support.stopwatch import Stopwatch
from tests.support.telemetry.trace_receiver import ReceivedSpan, TraceReceiver, receiving

LIST = "/api/backup-destinations"
QUERY = {"query": "{ backupDestinations(first: 5) { nodes { id label } } }"}
AT_ONCE = 24
REQUEST, AUTHENTICATION = "GET /api/backup-destinations", "authenticate"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[TraceReceiver]:
    """A collector that the gateways of a test export to, at once."""
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield receiver


@pytest.fixture(params=["sqlite", "postgresql"])
def traced(request: pytest.FixtureRequest, receiver: TraceReceiver, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway on each engine that exports to the receiver, and may check this machine's stores."""
    with configured(request.param, postgres, s3_allow="127.0.0.1") as gateway:
        yield gateway


def parent() -> tuple[str, dict[str, str]]:
    """The id of a trace of a client, and the header for a request in it."""
    trace_id = secrets.token_hex(16)
    return trace_id, {"traceparent": f"00-{trace_id}-{'12ab' * 4}-01"}


def tree(spans: list[ReceivedSpan], root: str = "12ab" * 4) -> dict[str, object]:
    """The names of the spans below a parent, each with those below it."""
    return {span.name: tree(spans, span.span_id) for span in spans if span.parent_id == root}


def only(spans: list[ReceivedSpan], name: str) -> ReceivedSpan:
    """The one span of a name."""
    (span,) = [span for span in spans if span.name == name]
    return span


async def traced_requests(account: Account, count: int) -> dict[str, httpx.Response]:
    """The responses of lists that are asked for at the same time, by the traces that they belong to."""
    headers = dict(parent() for _ in range(count))
    async with account.client() as client:
        responses = await asyncio.gather(*(client.get(LIST, headers=each) for each in headers.values()))
    return dict(zip(headers, responses, strict=True))


def whole(receiver: TraceReceiver, trace_id: str, *, spans: int) -> list[ReceivedSpan]:
    """The spans of a trace, once there are so many."""
    receiver.wait(lambda _: len(receiver.trace(trace_id)) >= spans)
    return receiver.trace(trace_id)


async def test_a_request_its_authentication_and_its_statements(traced: Gateway, receiver: TraceReceiver) -> None:
    """On the standard path and on the fast path, alone and beside others, whose statements are the same ones."""
    account = await traced.new_user()
    await account.create()
    standard = await traced_requests(account, 1)
    replayed = await traced_requests(account, 1)
    beside = await traced_requests(account, AT_ONCE)

    for trace_id, response in (standard | replayed | beside).items():
        assert response.status_code == 200
        spans = whole(receiver, trace_id, spans=3)
        request = only(spans, REQUEST)
        authentication = only(spans, AUTHENTICATION)
        assert authentication.parent_id == request.span_id
        (lookup,) = [span for span in spans if span.parent_id == authentication.span_id]
        assert (lookup.name, lookup.kind) == ("SELECT tokens", "client")
        assert request.kind == "server"
        assert request.attributes.items() >= {
            ("http.request.method", "GET"),
            ("http.route", LIST),
            ("http.response.status_code", 200),
            ("url.path", LIST),
            ("url.scheme", "http"),
            ("network.protocol.version", "1.1"),
            ("client.address", "127.0.0.1"),
            ("moorings.user_id", account.user_id),
            ("moorings.request_id", response.headers["x-request-id"]),
        }
    system = {"sqlite": "sqlite", "postgresql": "postgresql"}[traced.engine]
    (statement,) = [span for span in receiver.trace(next(iter(standard))) if span.name == "SELECT backup_destinations"]
    assert statement.parent_id == only(receiver.trace(statement.trace_id), REQUEST).span_id
    assert statement.attributes["db.system.name"] == system
    assert statement.attributes["db.operation.name"] == "SELECT"
    assert statement.attributes["db.collection.name"] == "backup_destinations"
    assert str(statement.attributes["db.query.text"]).startswith("SELECT ")
    if traced.engine == "postgresql":
        assert {"server.address", "db.namespace"} <= statement.attributes.keys()
    assert statement.resource["service.name"] == "moorings"


async def test_writes_checks_and_operations(traced: Gateway, receiver: TraceReceiver) -> None:
    """A create has its transaction, a check its store, GraphQL a type, and a WebSocket its operations."""
    account = await traced.new_user()
    created, created_headers = parent()
    checked, checked_headers = parent()
    asked, asked_headers = parent()
    over_socket, socket_headers = parent()
    closed = f"http://127.0.0.1:{free_port()}"
    body = {"label": "A", "type": "custom_s3", "s3_bucket_name": "nightly", "path_style_endpoint": True}
    body |= {"custom_s3_endpoint": closed, "s3_access_key": "AKIATESTTESTTESTTEST", "s3_secret_key": "secret-of-tests"}
    async with account.client() as client:
        answer = await client.post(LIST, json=body, headers=created_headers)
        id_ = answer.json()["data"]["id"]
        check = "mutation($id: ID!) { checkBackupDestination(id: $id) { __typename } }"
        nodes = (await client.post("/graphql", json=QUERY, headers=asked_headers)).json()
        global_id = nodes["data"]["backupDestinations"]["nodes"][0]["id"]
        response = await client.post(
            "/graphql", json={"query": check, "variables": {"id": global_id}}, headers=checked_headers
        )
        assert "errors" not in response.json(), response.text
    await one_operation(account, socket_headers)

    receiver.wait(lambda _: any(span.name == "check store" for span in receiver.trace(checked)))
    (written,) = [s for s in receiver.trace(created) if s.name == "INSERT backup_destinations"]
    assert answer.status_code == 201
    assert not any(value in str(span) for value in ("nightly", "secret-of-tests") for span in receiver.trace(created))
    assert written.attributes["db.query.summary"] == "INSERT backup_destinations"
    store = only(receiver.trace(checked), "check store")
    assert store.has_failed
    assert store.attributes["error.type"] == "CONNECT_FAILED"
    assert store.attributes["moorings.destination_id"] == id_
    assert store.attributes["moorings.check.reachable"] is False
    request = only(whole(receiver, asked, spans=4), "POST /graphql")
    assert request.attributes["graphql.operation.type"] == "query"
    spans = whole(receiver, over_socket, spans=4)
    assert only(spans, "GET /graphql").attributes["http.response.status_code"] == 101
    operation = only(spans, "query")
    assert operation.parent_id == only(spans, "GET /graphql").span_id
    assert AUTHENTICATION in tree(spans, operation.span_id)


async def one_operation(account: Account, headers: Mapping[str, str]) -> None:
    """Ask for one list over a WebSocket."""
    url = account.gateway.url.replace("http://", "ws://") + "/graphql"
    subprotocols = [Subprotocol("graphql-transport-ws")]
    async with connect(url, subprotocols=subprotocols, additional_headers=headers) as socket:
        token = {"authorization": f"Bearer {account.token}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": token}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": QUERY}))
        assert json.loads(await socket.recv())["type"] == "next"
        assert json.loads(await socket.recv())["type"] == "complete"


async def test_workers_export_each_for_itself(receiver: TraceReceiver) -> None:
    """Every request of a trace that goes to several workers is in it, and each span names its worker."""
    gateway = Gateway(workers=2)
    await asyncio.to_thread(gateway.start)
    try:
        account = await gateway.new_user()
        trace_id, headers = parent()

        async def ask_until_both() -> None:
            while len({span.resource["service.instance.id"] for span in receiver.trace(trace_id)}) < 2:
                async with account.client(Connection="close") as client:
                    assert (await client.get(LIST, headers=headers)).status_code == 200

        async with asyncio.timeout(30):
            await ask_until_both()
        async with account.client() as client:
            last = (await client.get(LIST, headers=headers)).headers["x-request-id"]
    finally:
        await asyncio.to_thread(gateway.close)

    spans = receiver.trace(trace_id)
    requests = [span for span in spans if span.name == REQUEST]
    assert last in {span.attributes["moorings.request_id"] for span in requests}, "the end lost the last spans"
    assert {span.parent_id for span in requests} == {"12ab" * 4}


async def test_a_database_that_is_away(receiver: TraceReceiver) -> None:
    """The request, its authentication and the statement have failed, each with its class and nothing else."""
    with own_postgres() as server:
        server.create_database("moorings")
        gateway = Gateway(server.url("moorings"))
        await asyncio.to_thread(gateway.start)
        try:
            account = await gateway.new_user()
            await traced_requests(account, 1)
            await asyncio.to_thread(server.halt)
            ((trace_id, response),) = (await traced_requests(account, 1)).items()
            assert response.status_code == 503
            receiver.wait(lambda _: any(span.name == REQUEST for span in receiver.trace(trace_id)))
        finally:
            await asyncio.to_thread(gateway.close)
    spans = receiver.trace(trace_id)
    request = only(spans, REQUEST)
    assert request.has_failed
    assert request.attributes["error.type"] == "503"
    statements = [span for span in spans if span.kind == "client"]
    assert statements
    assert all(span.has_failed and str(span.attributes["error.type"]).isidentifier() for span in statements)


@pytest.mark.parametrize("away", ["refuses", "hangs"])
async def test_a_collector_that_is_away(monkeypatch: pytest.MonkeyPatch, away: str) -> None:
    """No request waits for it, the log has one line, and one when it is back; the end does not wait for it either."""
    receiver = TraceReceiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.url}/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    for name, value in {"SCHEDULE_DELAY": "50", "MAX_QUEUE_SIZE": "8", "MAX_EXPORT_BATCH_SIZE": "4"}.items():
        monkeypatch.setenv(f"OTEL_BSP_{name}", value)
    gateway = Gateway()
    await asyncio.to_thread(gateway.start)

    def lines(text: str) -> int:
        return sum(text in line for line in gateway.log_text().splitlines())

    try:
        account = await gateway.new_user()
        if away == "refuses":
            receiver.close()
            await lose_spans(account)
            await until(lambda: lines("Traces cannot be exported") > 0)
            await lose_spans(account)
            receiver = TraceReceiver(receiver.port)
        else:
            with receiver.hanging():
                await lose_spans(account)
                await until(lambda: lines("Traces cannot be exported") > 0)
                await lose_spans(account)
        while not lines("Traces are exported again"):
            assert (await traced_requests(account, 1)).popitem()[1].status_code == 200
            await asyncio.sleep(0.1)
        assert (lines("Traces cannot be exported"), lines("Traces are exported again")) == (1, 1)
        receiver.close()
        await lose_spans(account)
        began = time.monotonic()
        assert await asyncio.to_thread(gateway.stop) == 0
        assert time.monotonic() - began < 15
        assert not lines("ERROR")
        assert lines("opentelemetry") == lines("Queue full") == 0
        assert "Traceback" not in gateway.log_text()
    finally:
        await asyncio.to_thread(gateway.close)


async def lose_spans(account: Account) -> None:
    """Make more spans than the queue has room for, in requests that are answered as ever."""
    watch = Stopwatch(account.gateway.worker_pid)
    responses = await traced_requests(account, AT_ONCE)
    assert {response.status_code for response in responses.values()} == {200}
    assert watch.seconds < 5


async def test_the_sampler_decides(receiver: TraceReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """`OTEL_TRACES_SAMPLER`; a header that is malformed, or there twice, is no parent."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    gateway = Gateway()
    await asyncio.to_thread(gateway.start)
    try:
        account = await gateway.new_user()
        sampled, headers = parent()
        unsampled, _ = parent()
        async with account.client() as client:
            for each in (
                {},
                {"traceparent": f"00-{unsampled}-{'12ab' * 4}-00"},
                {"traceparent": f"00-{'0' * 32}-{'12ab' * 4}-01"},
                {"traceparent": "a secret"},
            ):
                assert (await client.get(LIST, headers=each)).status_code == 200
            twice = [("traceparent", headers["traceparent"]), ("traceparent", headers["traceparent"])]
            assert (await client.get(LIST, headers=twice)).status_code == 200
            assert (await client.get(LIST, headers=headers | {"tracestate": "vendor=1"})).status_code == 200
        spans = whole(receiver, sampled, spans=3)
    finally:
        await asyncio.to_thread(gateway.close)
    assert {span.trace_id for span in receiver.spans} == {sampled}
    assert len([span for span in spans if span.name == REQUEST]) == 1


def test_without_a_collector_nothing_of_it_is_loaded() -> None:
    """A gateway that exports nothing has none of the SDK, and its fast path asks nothing."""
    program = (
        "import sys; from app.main import create_app; from app.settings import Settings; app = create_app(Settings());"
        "assert app.tracing is None and app.fast_path.tracing is None;"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    "variables", [{}, {"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}], ids=["unset", "off", "none"]
)
def test_what_turns_traces_off(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """OpenTelemetry's own variables."""
    if variables:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert open_tracer() is None


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another protocol, and an installation without the extra, each with what to do."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(SettingsRefused, match="OTEL_EXPORTER_OTLP_PROTOCOL"):
        open_tracer()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setitem(sys.modules, "app.tracing.sdk", None)
    with pytest.raises(SettingsRefused, match="extra otel"):
        open_tracer()
