"""Requests that differ in their query or body alone: the fast path prepares them, and answers as the standard path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest

from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.served import Served, serving
from tests.web.fast_path.test_fast_path import JSON, LIST, QUERY, _unreachable, graphql, wire
from web.fast_path.prepared_shape import MAX_SHAPED_BODY_BYTES

OTHER = "query Other($id: ID!) { node(id: $id) { id ... on BackupDestination { label } } }"


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    account = await gateway.new_user()
    for number in range(20):
        await account.create("local", label=f"Row {number}")
    return account


@pytest.fixture
async def served(gateway: Gateway, account: Account) -> AsyncIterator[Served]:
    async with serving(gateway) as served:
        yield served


def posted(token: str, body: Any, *headers: str) -> bytes:
    """A POST of any JSON, or of bytes as they are."""
    return wire(
        "POST", "/graphql", token, *JSON, *headers, body=body if isinstance(body, bytes) else orjson.dumps(body)
    )


def pages(token: str) -> Iterator[bytes]:
    for query in (
        *("page=2", "page=2&per_page=3", "per_page=3&page=2", "per_page=100", "per_page=101", "per_page=0"),
        *("page=-1", "page=x", "page=2&page=3", "page=%32", "page=%zz", "page=\xe9".encode().decode("latin-1")),
        *("page=" + "9" * 40, "per_page=", "", "x", "&&&", "page=3;per_page=2", "per_page=5#"),
    ):
        yield wire("GET", f"{LIST}?{query}", token)


def operations(account: Account) -> Iterator[bytes]:
    token = account.token
    for variables in (
        *({"first": 1}, {"first": 2, "unused": True}, {"first": None}, {}, {"first": "1"}, {"first": 1.5}),
        *({"first": -1}, {"first": 101}, {"first": 2**40}, {"first": [1]}, {"first": {"a": 1}}, {"first": True}),
    ):
        yield graphql(token, QUERY, **variables)
    yield from (
        posted(token, {"query": QUERY, "variables": None}),
        posted(token, {"query": QUERY, "operationName": "Q"}),
        posted(token, {"query": QUERY, "operationName": "None"}),
        posted(token, {"query": QUERY, "variables": [1]}),
        posted(token, {"query": QUERY, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}),
        posted(token, {"query": QUERY, "variables": {"first": 3}, "more": "x"}),
        posted(token, [{"query": QUERY}]),
        posted(token, {"query": ""}),
        posted(token, b"{"),
        posted(token, b'{"query": "\xff"}'),
        posted(token, b"[" * 3_000),
        posted(token, b'{"query": "{ viewer { name } }", "query": "{ viewer { id } }"}'),
        graphql(token, "{ viewer { rateLimit { remaining } token { name } } }"),
        graphql(token, "{ nothing }"),
        graphql(token, "mutation { deleteBackupDestination(id: \"x\") { __typename } }"),
        graphql(token, "subscription { backupDestinationEvents { id } }"),
        graphql(token, OTHER, id="BackupDestination:0"),
        graphql(token, OTHER, id="x"),
    )  # fmt: skip


async def test_pages_are_what_the_standard_path_answers(served: Served, account: Account) -> None:
    """Whatever a client writes into the query."""
    prime = wire("GET", f"{LIST}?page=1", account.token)
    for request in pages(account.token):
        expected = await served.ask_standard(request)
        await served.ask_standard(prime)
        assert [await served.ask(request) for _ in range(2)] == [expected] * 2, request


async def test_operations_are_what_the_standard_path_answers(served: Served, account: Account) -> None:
    """Whatever a client writes into the body; documents that are known, compiled, or neither."""
    prime = graphql(account.token, QUERY, first=7)
    for _ in range(3):  # compiled at the second time
        await served.ask(prime)
        await served.ask(graphql(account.token, OTHER, id="BackupDestination:0"))
    for request in operations(account):
        expected = await served.ask_standard(request)
        await served.ask_standard(prime)
        assert len(served.fast_path.shapes) == 1
        answers = [await served.ask(request) for _ in range(2)]
        assert [(answer.status, answer.headers) for answer in answers] == [(expected.status, expected.headers)] * 2
        assert [_known(answer.body) for answer in answers] == [_known(expected.body)] * 2, request


def _known(body: bytes) -> Any:
    """A response without the one value that differs from one request to the next."""
    shown = orjson.loads(body)
    for error in shown.get("errors", ()):
        error.get("extensions", {}).pop("requestId", None)
    return shown


@pytest.mark.parametrize("api", ["rest", "graphql"])
async def test_a_page_that_nobody_asked_for_before_takes_the_fast_path(
    gateway: Gateway, account: Account, api: str
) -> None:
    """For another user too, of whose token nothing is known."""
    other = await gateway.new_user()

    def request(token: str, number: int) -> bytes:
        if api == "rest":
            return wire("GET", f"{LIST}?per_page={number}", token)
        return graphql(token, QUERY, first=number)

    async with serving(gateway) as served:
        for number in (1, 2):
            await served.ask(request(account.token, number))
        routed = served.app.router.app
        served.app.middleware_stack = _unreachable
        answers = [await served.ask(request(one.token, number)) for number in range(3, 15) for one in (account, other)]
        served.app.middleware_stack = routed

    assert {answer.status for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert [answer.body.count(b'"label"') for answer in answers[::2]] == list(range(3, 15))
    assert {answer.body.count(b'"label"') for answer in answers[1::2]} == {0}


async def test_a_large_body_is_read_behind_its_token_alone(served: Served, account: Account) -> None:
    for _ in range(3):
        await served.ask(graphql(account.token, QUERY, first=7))
    before = len(served.prepared)

    large = graphql(account.token, QUERY, first=3, unused="x" * MAX_SHAPED_BODY_BYTES)
    prepared = served.fast_path._prepared_by_shape(
        next(iter(served.prepared))._replace(body=large.partition(b"\r\n\r\n")[2])
    )

    assert prepared is None
    assert len(served.prepared) == before


async def test_a_body_that_is_over_the_limit_is_refused_as_ever(gateway: Gateway, account: Account) -> None:
    """Though one that is not was answered before."""
    async with serving(gateway, max_body_bytes=1_024) as served:
        for _ in range(3):
            await served.ask(graphql(account.token, QUERY, first=7))
        answer = await served.ask(graphql(account.token, QUERY, first=3, unused="x" * 1_024))

    assert answer.status.split()[1] == b"413"


async def test_shapes_are_bounded_by_bytes(served: Served, account: Account) -> None:
    for number in range(1_000):
        await served.ask(wire("GET", LIST, account.token, f"X-Anything: {number}"))

    assert served.fast_path.shapes.bytes <= 1024 * 1024
    assert len(served.fast_path.shapes) < 1_000
