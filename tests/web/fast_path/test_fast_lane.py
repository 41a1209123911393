"""The fast lane and the usual way give the same answers, the first time and whenever the same bytes come again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest

from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.two_ways import Answer, Both, both_ways

LIST = "/api/backup-destinations"
QUERY = (
    "query Q($first: Int) { backupDestinations(first: $first) { totalCount edges { node { id label createdAt } } } }"
)
DRAFT = b'{"label": "New", "type": "local"}'
JSON = ("Content-Type: application/json",)
_CHANGES = re.compile(rb'"id":\d+|/\d+$|[0-9T:-]{19}Z|BackupDestination:\d+')


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    account = await gateway.new_user()
    for kind in ("s3", "custom_s3", "local"):
        await account.create(kind)
    return account


@pytest.fixture
async def both(gateway: Gateway, account: Account) -> AsyncIterator[Both]:
    """Opened when the account is there, for a process has one database at a time."""
    async with both_ways(gateway) as both:
        yield both


def wire(method: str, target: str, token: str, *headers: str, body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1:8000"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [*headers, *([f"Content-Length: {len(body)}"] if body else [])]
    return "\r\n".join([*lines, "", ""]).encode() + body


def graphql(token: str, document: str, *headers: str, **variables: Any) -> bytes:
    """The bytes of a GraphQL request."""
    return wire(
        "POST", "/graphql", token, *JSON, *headers, body=orjson.dumps({"query": document, "variables": variables})
    )


def questions(account: Account, own: int) -> Iterator[tuple[str, bytes]]:
    """Requests that change nothing, each with its name."""
    token, item = account.token, f"{LIST}/{own}"
    yield from (
        ("list", wire("GET", LIST, token)),
        ("list without the prefix", wire("GET", "/backup-destinations", token)),
        ("list with a slash", wire("GET", LIST + "/", token)),
        ("page", wire("GET", f"{LIST}?page=2&per_page=1", token)),
        ("odd page", wire("GET", f"{LIST}?page=%31&per_page=x#y", token)),
        ("head", wire("HEAD", LIST, token)),
        ("show", wire("GET", item, token)),
        ("escaped", wire("GET", LIST.replace("b", "%62", 1), token)),
        ("missing", wire("GET", f"{LIST}/987654321", token)),
        ("no id", wire("GET", f"{LIST}/x", token)),
        ("long id", wire("GET", f"{LIST}/{'9' * 19}", token)),
        ("longer id", wire("GET", f"{LIST}/{'9' * 5000}", token)),
        ("no token", wire("GET", LIST, "")),
        ("junk token", wire("GET", LIST, "junk")),
        ("wrong token", wire("GET", LIST, token[:-6] + "000000")),
        ("two tokens", wire("GET", LIST, token, "Authorization: Bearer x")),
        ("wrong method", wire("PATCH", LIST, token)),
        ("wrong host", wire("GET", LIST, token).replace(b"127.0.0.1", b"elsewhere.example")),
        ("another origin", wire("GET", LIST, token, "Origin: https://console.example")),
        ("accept", wire("GET", LIST, token, "Accept: text/html")),
        ("any tag", wire("GET", LIST, token, "If-None-Match: *")),
        ("no tag of ours", wire("GET", LIST, token, 'If-None-Match: "x"')),
        ("body of a get", wire("GET", LIST, token, *JSON, body=b"{}")),
        ("invalid", wire("POST", LIST, token, *JSON, body=b"{}")),
        ("no json", wire("POST", LIST, token, *JSON, body=b"{")),
        ("no type", wire("POST", LIST, token, body=DRAFT)),
        ("empty put", wire("PUT", item, token, *JSON)),
        ("invalid put", wire("PUT", item, token, *JSON, body=b'{"type": "s3", "path_style_endpoint": 2}')),
        ("deleting nothing", wire("DELETE", f"{LIST}/987654321", token)),
        ("too large", wire("POST", LIST, token, *JSON, body=b" " * 2_000_000)),
        ("chunked", wire("POST", LIST, token, *JSON, "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n"),
        ("query", graphql(token, QUERY, first=2)),
        ("query as graphql", graphql(token, QUERY, "Accept: application/graphql-response+json", first=2)),
        ("query by get", wire("GET", "/graphql?query=%7Bviewer%7Bname%7D%7D", token)),
        ("introspection without a token", graphql("", "{ __typename }")),
        ("query without a token", graphql("", QUERY)),
        ("no document", wire("POST", "/graphql", token, *JSON, body=b"{}")),
        ("no such field", graphql(token, "{ nothing }")),
        ("wrong variable", graphql(token, QUERY, first="x")),
        ("refused mutation", graphql(token, 'mutation { deleteBackupDestination(id: "x") { __typename } }')),
        ("put to graphql", wire("PUT", "/graphql", token)),
        ("a form to graphql", wire("POST", "/graphql", token, body=b"query=1")),
    )


async def test_whatever_is_asked_is_answered_alike_again_and_again(both: Both, account: Account) -> None:
    """Byte for byte; a connection that one way keeps open the other keeps open too."""
    own = await account.create("custom_s3")
    for name, asked in questions(account, own):
        expected = await both.usual.ask(asked)
        async with both.lane.connection() as talk:
            try:
                answers = [await talk.ask(asked) for _ in range(3)]
            except (ConnectionError, EOFError):  # ended by the answer, as the usual way does
                answers = [await both.lane.ask(asked)]
        assert [_stable(answer) for answer in answers] == [_stable(expected)] * len(answers), name


async def test_what_is_written_is_answered_alike(both: Both, account: Account) -> None:
    """But for the ids and the moments of what was made."""
    creation = (
        'mutation { createBackupDestination(input: {local: {label: "New"}}) { ... on CreateBackupDestinationPayload'
    )
    for name, asked in (
        ("json", wire("POST", LIST, account.token, *JSON, body=DRAFT)),
        (
            "form",
            wire(
                "POST",
                LIST,
                account.token,
                "Content-Type: application/x-www-form-urlencoded",
                body=b"label=New&type=local",
            ),
        ),
        ("graphql", graphql(account.token, creation + " { backupDestination { id label } } } }")),
    ):
        answers = [_stable(await way.ask(asked)) for way in (both.usual, both.lane, both.lane)]
        assert answers[0].status in (b"HTTP/1.1 201 Created", b"HTTP/1.1 200 OK"), name
        assert answers == answers[:1] * 3, name


async def test_a_proxy_is_believed_on_both_ways(gateway: Gateway, account: Account) -> None:
    """What it says of the scheme is in the links; nobody else is asked."""
    for trusted, scheme in ((("127.0.0.1",), b"https"), (("192.0.2.1",), b"http")):
        asked = wire("GET", LIST, account.token, "X-Forwarded-Proto: https")
        async with both_ways(gateway, trusted_proxies=trusted) as both:
            answers = [_stable(await way.ask(asked)) for way in (both.usual, both.lane, both.lane)]

        assert answers == answers[:1] * 3
        assert b'"path":"%s://127.0.0.1:8000/api/backup-destinations"' % scheme in answers[0].body


async def test_every_answer_of_the_lane_is_counted_in_the_limit_and_the_metrics(
    gateway: Gateway, account: Account
) -> None:
    asked = wire("GET", LIST, account.token)

    async with both_ways(gateway, rate_limit="4/minute") as both:
        async with both.lane.connection() as talk:
            answers = [await talk.ask(asked) for _ in range(5)]
        told = (await both.usual.ask(wire("GET", "/metrics", ""))).body.decode()

    assert [answer.status.split()[1] for answer in answers] == [b"200"] * 4 + [b"429"]
    assert all(b"x-ratelimit-limit: 4" in answer.headers for answer in answers)
    for status, times in ((200, 4), (429, 1)):
        counted = (
            f'moorings_requests_total{{method="GET",route="/api/backup-destinations",status="{status}"}} {times}.0'
        )
        assert counted in told
    assert 'moorings_request_seconds_count{route="/api/backup-destinations"} 5.0' in told


def _stable(answer: Answer) -> Answer:
    """Without what differs from one row to the next."""
    headers = tuple(_CHANGES.sub(b"~", line) for line in answer.headers)
    lengths = tuple(line for line in headers if not line.startswith(b"content-length"))
    return Answer(status=answer.status, headers=lengths, body=_CHANGES.sub(b"~", answer.body))
