"""The fast path answers as the standard path did, whatever client, proxy or origin a request comes from."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.served import Answer, Served, serving
from web.fast_path.preparation_key import IGNORED
from web.fast_path.prepared_request import PreparedRequests

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
async def served(gateway: Gateway, account: Account) -> AsyncIterator[Served]:
    """Opened when the account is there, for a process has one database at a time."""
    async with serving(gateway) as served:
        yield served


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


def reads_and_refusals(account: Account, own: int) -> Iterator[tuple[str, bytes]]:
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


async def test_a_replay_is_what_the_standard_path_answered_byte_for_byte(served: Served, account: Account) -> None:
    """Reads and refusals alike; a connection that one path keeps open the other keeps open too."""
    own = await account.create("custom_s3")
    replayed = 0
    for name, request in reads_and_refusals(account, own):
        expected = await served.ask_standard(request)
        async with served.connection() as talk:
            try:
                answers = [await talk.ask(request) for _ in range(4)]
            except (ConnectionError, EOFError):  # ended by the response, as the standard path does
                answers = [await served.ask(request)]
        assert [_stable(answer) for answer in answers] == [_stable(expected)] * len(answers), name
        replayed += len(served.prepared)

    assert replayed > 10


async def test_only_reads_are_prepared(served: Served, account: Account) -> None:
    """No refusal, no write, nothing without a token; reads in whatever pieces they come."""
    read = wire("GET", LIST, account.token)
    mutation = graphql(account.token, 'mutation { deleteBackupDestination(id: "BackupDestination:1") { __typename } }')
    others = (
        wire("GET", LIST + "/0", account.token),
        wire("GET", LIST, "junk"),
        wire("POST", LIST, account.token, *JSON, body=DRAFT),
        wire("GET", "/healthz", account.token),
        graphql("", "{ __typename }"),
        graphql(account.token, "{ nothing }"),
        *[mutation] * 3,
    )
    async with served.connection() as talk:
        for request in others:
            await talk.ask(request)
        assert len(served.prepared) == 0
        await talk.ask(read[:30], read[30:])
        assert len(served.prepared) == 1
        for _ in range(3):  # compiled at the second time
            await talk.ask(graphql(account.token, QUERY))

    assert len(served.prepared) == 2


ENVIRONMENTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "plain": ({}, ()),
    "behind a trusted proxy": (
        {"trusted_proxies": ("127.0.0.1",)},
        ("X-Forwarded-For: 203.0.113.{n}", "X-Forwarded-Proto: https", "X-Real-IP: 203.0.113.{n}"),
    ),
    "with CORS": ({"cors_origins": ("https://console.example",)}, ("Origin: https://console.example",)),
    "from a browser": (
        {"cors_origins": ("https://console.example",), "trusted_proxies": ("127.0.0.1",)},
        (
            "Origin: https://console.example",
            "Referer: https://console.example/page/{n}",
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156 Safari/537",
            "Accept-Language: de-DE,de;q=0.9,en;q=0.8",
            "Accept-Encoding: gzip, deflate, br, zstd",
            "Sec-Fetch-Mode: cors",
            "X-Forwarded-For: 203.0.113.{n}",
            "X-Forwarded-Proto: https",
            "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e473{n}-00f067aa0ba902b7-01",
        ),
    ),
}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("api", ["rest", "graphql"])
async def test_one_shape_of_request_serves_all_users_in_every_environment(
    gateway: Gateway, environment: str, api: str
) -> None:
    """What the same client sends differently each time makes no other shape."""
    settings, headers = ENVIRONMENTS[environment]
    accounts = [await gateway.new_user() for _ in range(3)]
    async with serving(gateway, **settings) as served:

        def request(account: Account, number: int) -> bytes:
            filled = [header.format(n=number) for header in headers]
            if api == "rest":
                return wire("GET", LIST, account.token, *filled)
            return graphql(account.token, QUERY, *filled)

        for number in range(2):
            first = await served.ask(request(accounts[0], number))
        assert len(served.prepared) == 1
        routed = served.app.router.app
        served.app.middleware_stack = _unreachable
        replays = [await served.ask(request(account, number)) for number, account in enumerate(accounts)]
        served.app.middleware_stack = routed

        assert len(served.prepared) == 1
        assert replays[0] == first
        assert {answer.status for answer in replays} == {b"HTTP/1.1 200 OK"}
        origins = {line for answer in replays for line in answer.headers if line.startswith(b"access-control-allow-o")}
        assert origins == (
            {b"access-control-allow-origin: https://console.example"}
            if "CORS" in environment or "browser" in environment
            else set()
        )


async def _unreachable(*_: object) -> None:
    raise AssertionError("the standard path was taken")


async def test_forwarded_headers_of_another_peer_do_not_count(gateway: Gateway, account: Account) -> None:
    """The links say what a trusted proxy says of the scheme, and nothing that anybody else says."""
    for trusted, scheme in ((("127.0.0.1",), b"https"), (("192.0.2.1",), b"http")):
        request = wire("GET", LIST, account.token, "X-Forwarded-Proto: https")
        async with serving(gateway, trusted_proxies=trusted) as served:
            answers = [await served.ask(request) for _ in range(3)]
            other = await served.ask(wire("GET", LIST, account.token))

        assert answers == answers[:1] * 3
        assert b'"path":"%s://127.0.0.1:8000/api/backup-destinations"' % scheme in answers[0].body
        assert b'"path":"http://' in other.body


async def test_an_origin_that_is_not_allowed_never_gets_the_headers_of_one_that_is(
    gateway: Gateway, account: Account
) -> None:
    async with serving(gateway, cors_origins=("https://console.example",)) as served:
        for origin, allowed in (("https://console.example", True), ("https://evil.example", False)) * 3:
            answer = await served.ask(wire("GET", LIST, account.token, f"Origin: {origin}"))
            lines = [line for line in answer.headers if line.startswith(b"access-control-allow-origin")]
            assert lines == ([b"access-control-allow-origin: https://console.example"] if allowed else [])


async def test_every_replay_is_counted_in_the_limit_and_the_metrics(gateway: Gateway, account: Account) -> None:
    request = wire("GET", LIST, account.token)

    async with serving(gateway, rate_limit="4/minute") as served:
        async with served.connection() as talk:
            answers = [await talk.ask(request) for _ in range(5)]
        metrics = (await served.ask(wire("GET", "/metrics", ""))).body.decode()

    assert [answer.status.split()[1] for answer in answers] == [b"200"] * 4 + [b"429"]
    assert all(b"x-ratelimit-limit: 4" in answer.headers for answer in answers)
    for status, times in ((200, 4), (429, 1)):
        counted = (
            f'moorings_requests_total{{method="GET",route="/api/backup-destinations",status="{status}"}} {times}.0'
        )
        assert counted in metrics
    assert 'moorings_request_seconds_count{route="/api/backup-destinations"} 5.0' in metrics


async def test_the_memo_is_bounded_by_bytes_and_drops_the_least_recently_used(served: Served, account: Account) -> None:
    """Ten times as many shapes as fit are all answered, and the memory that they take is what is stated."""
    served.fast_path.prepared_requests = PreparedRequests(max_bytes=40_000)
    often = wire("GET", LIST, account.token)
    async with served.connection() as talk:
        for number in range(100):
            for _ in range(2):  # once it is full, what comes again is let in
                answer = await talk.ask(wire("GET", f"{LIST}?x={number}", account.token))
                assert answer.status == b"HTTP/1.1 200 OK"
            await talk.ask(often)

    targets = [key.target for key in served.prepared]
    assert served.fast_path.prepared_requests.bytes <= 40_000
    assert 5 < len(targets) < 15
    assert LIST.encode() in targets
    assert f"{LIST}?x=99".encode() in targets


async def test_requests_that_come_once_push_none_out_of_a_full_memo(served: Served, account: Account) -> None:
    served.fast_path.prepared_requests = PreparedRequests(max_bytes=40_000)
    async with served.connection() as talk:
        for number in range(12):
            await talk.ask(wire("GET", f"{LIST}?kept={number}", account.token))
        kept = [key.target for key in served.prepared]
        for number in range(20):
            answer = await talk.ask(wire("GET", f"{LIST}?once={number}", account.token))
            assert answer.status == b"HTTP/1.1 200 OK"

    targets = [key.target for key in served.prepared]
    assert len([target for target in kept if target in targets]) >= len(kept) - 3, "two keys may share a slot"


@pytest.mark.parametrize("value", ["x", "no-cache, gzip, trailers", "203.0.113.7"])
async def test_what_is_ignored_in_the_key_changes_no_response(served: Served, account: Account, value: str) -> None:
    """Of the standard path, which every replay repeats."""
    query = f"/graphql?query={quote(QUERY)}"
    for target in (LIST, query):
        expected = await served.ask_standard(wire("GET", target, account.token))
        for name in sorted(IGNORED - {b"connection"}):
            answer = await served.ask_standard(wire("GET", target, account.token, f"{name.decode()}: {value}"))
            assert answer == expected, name


def _stable(answer: Answer) -> Answer:
    """Without what differs from one row to the next."""
    headers = tuple(_CHANGES.sub(b"~", line) for line in answer.headers)
    lengths = tuple(line for line in headers if not line.startswith(b"content-length"))
    return Answer(status=answer.status, headers=lengths, body=_CHANGES.sub(b"~", answer.body))
