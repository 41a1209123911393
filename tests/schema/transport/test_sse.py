"""GraphQL over server-sent events: the framing, the errors in the stream, and what happens when a client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import orjson
import pytest
from starlette.types import Message

from schema.execution.shared_responses import Responses
from schema.transport import sse
from schema.transport.sse import EventStream, OpenStreams
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.in_process import DEADLINE_S
from tests.support.graphql.graphql_client import PATH, http_client, over_sse

EVENTS = {"accept": "text/event-stream"}
CREATE = 'mutation { createBackupDestination(input: {local: {label: "Attic"}}) { __typename } }'
LISTEN = "subscription { backupDestinationEvents { __typename } }"
COMPLETE = b"event: complete\ndata: \n\n"


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    """Somebody who may do everything."""
    return await gateway.new_user()


async def streamed(account: Account, body: dict[str, Any], **headers: str) -> httpx.Response:
    """The whole stream that answers an operation."""
    async with http_client(account) as client:
        return await client.post(PATH, json=body, headers=EVENTS | headers)


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{ viewer { name } }", b'{"data":{"viewer":{"name":"Test"}}}'),
        (CREATE, b'{"data":{"createBackupDestination":{"__typename":"CreateBackupDestinationPayload"}}}'),
    ],
    ids=["query", "mutation"],
)
async def test_an_operation_is_one_event_and_the_end(query: str, data: bytes, account: Account) -> None:
    """`next` with the answer in one line, an empty line, `complete`; line feeds alone, as browsers read them."""
    answer = await streamed(account, {"query": query})

    assert answer.content == b"event: next\ndata: " + data + b"\n\n" + COMPLETE
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"


async def test_a_stream_may_be_asked_for_by_a_link(account: Account) -> None:
    """What a browser's EventSource does; a mutation is refused there as everywhere."""
    async with http_client(account) as client:
        query = await client.get(PATH, params={"query": "{ viewer { name } }"}, headers=EVENTS)
        mutation = await client.get(PATH, params={"query": CREATE}, headers=EVENTS)

    assert query.content == b'event: next\ndata: {"data":{"viewer":{"name":"Test"}}}\n\n' + COMPLETE
    assert b"BAD_REQUEST" in mutation.content


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ viewer", "GRAPHQL_PARSE_FAILED"),
        ("{ secrets }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer { " + "a: id " * 31 + "} }", "COST_LIMIT_EXCEEDED"),
        ('{ node(id: "x") { id } }', "BAD_USER_INPUT"),
        ('subscription { backupDestinationEvents(after: "x") { id } }', "BAD_USER_INPUT"),
        ("subscription { backupDestinationEvents }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription($a: ID!) { backupDestinationEvents(after: $a) { id } }", "BAD_USER_INPUT"),
    ],
)
async def test_an_error_is_told_in_the_stream_which_then_ends(query: str, code: str, account: Account) -> None:
    """A client of streams looks nowhere else."""
    answer = await streamed(account, {"query": query})

    event, data, *rest = answer.content.split(b"\n")
    assert (answer.status_code, event, b"\n".join(rest)) == (200, b"event: next", b"\n" + COMPLETE)
    (error,) = orjson.loads(data.removeprefix(b"data: "))["errors"]
    assert error["extensions"]["code"] == code


async def test_a_missing_ability_ends_a_subscription_with_an_error(gateway: Gateway) -> None:
    """It is told once, and nothing follows."""
    account = await gateway.new_user(abilities=["create-backup-destinations"])

    answer = await streamed(account, {"query": LISTEN})

    assert answer.content.count(b"FORBIDDEN") == 1
    assert answer.content.endswith(b"\n\n" + COMPLETE)


async def test_who_asks_and_what_is_no_request_are_judged_before_the_stream(account: Account) -> None:
    """With a status, in JSON: there is no operation yet that a stream could be of."""
    nobody = await streamed(account, {"query": LISTEN}, authorization="Bearer nobody")
    nothing = await streamed(account, {})

    assert [(answer.status_code, answer.headers["content-type"]) for answer in (nobody, nothing)] == [
        (401, "application/json; charset=utf-8"),
        (400, "application/json; charset=utf-8"),
    ]


async def test_a_subscription_is_an_event_for_each_answer(account: Account) -> None:
    """In the order in which it happened."""
    async with over_sse(account, LISTEN.replace("__typename", "__typename backupDestinationId")) as listener:
        ids = [await account.create("local") for _ in range(3)]
        events = await listener.events(3)

    assert [event["backupDestinationId"] for event in events] == [f"BackupDestination:{id_}" for id_ in ids]


async def test_a_line_that_is_quiet_is_kept_alive_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment is no event: clients skip it, and what lies between does not take the line for dead."""
    monkeypatch.setattr(sse, "KEEP_ALIVE_S", 0.02)
    go_on, closed = asyncio.Event(), asyncio.Event()
    sent: asyncio.Queue[bytes] = asyncio.Queue()

    async def answers() -> AsyncGenerator[Responses, None]:
        try:
            await go_on.wait()
            yield Responses.of({"data": None})
        finally:
            closed.set()

    async def send(message: Message) -> None:
        await sent.put(message.get("body", b""))

    async def receive() -> Message:
        await closed.wait()
        return {"type": "http.disconnect"}

    stream = asyncio.ensure_future(EventStream(answers(), OpenStreams())({"type": "http"}, receive, send))
    async with asyncio.timeout(DEADLINE_S):
        assert [await sent.get() for _ in range(3)] == [b"", b":\n\n", b":\n\n"]
        go_on.set()
        rest = [await sent.get()]
        while rest[-1]:
            rest.append(await sent.get())
        await stream

    assert b"".join(rest).replace(b":\n\n", b"") == b'event: next\ndata: {"data":null}\n\n' + COMPLETE
    assert closed.is_set()
