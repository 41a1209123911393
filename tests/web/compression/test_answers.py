"""Compressed answers of both APIs, on both paths: the same content, with the headers that say so."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest

from tests.support.gateway.codings import decoded
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.served import Answer, Served, serving
from tests.web.fast_path.test_fast_path import JSON, LIST, QUERY, graphql, reads_and_refusals, wire

BROWSER = "Accept-Encoding: gzip, deflate, br, zstd"
CODINGS = {"gzip": "Accept-Encoding: gzip", "zstd": BROWSER}


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    account = await gateway.new_user()
    for _ in range(15):
        await account.create("custom_s3")
    return account


@pytest.fixture
async def served(gateway: Gateway, account: Account) -> AsyncIterator[Served]:
    async with serving(gateway, wildcard_includes_use=True, s3_allow=("127.0.0.1",)) as served:
        yield served


def header(answer: Answer, name: str) -> bytes | None:
    """The one value of a header; None without it."""
    values = [line.split(b": ", 1)[1] for line in answer.headers if line.lower().startswith(name.encode() + b": ")]
    assert len(values) <= 1, values
    return values[0] if values else None


def content(answer: Answer) -> bytes:
    """The body out of its coding; nothing of an answer to HEAD."""
    return decoded(answer.body, header(answer, "content-encoding")) if answer.body else b""


def varies(answer: Answer) -> bool:
    """Whether the answer says that it depends on `Accept-Encoding`."""
    return "accept-encoding" in (header(answer, "vary") or b"").decode().lower().replace(" ", "").split(",")


async def test_a_client_that_does_not_ask_gets_the_very_bytes_of_a_gateway_that_compresses_nothing(
    gateway: Gateway, account: Account
) -> None:
    """Before and after others have asked; and one that asks gets them there too."""
    own = await account.create("custom_s3")
    requests = [(name, sent) for name, sent in reads_and_refusals(account, own) if name != "no token"]
    async with serving(gateway, compression=False) as served:
        plain = [await served.ask(sent) for _, sent in requests]
        asked = [await served.ask(sent.replace(b"\r\n", b"\r\n%s\r\n" % BROWSER.encode(), 1)) for _, sent in requests]
    assert asked == plain

    async with serving(gateway) as served:
        for _ in range(2):
            assert [await served.ask(sent) for _, sent in requests] == plain
            for name, sent in requests:
                answer = await served.ask(sent.replace(b"\r\n", b"\r\n%s\r\n" % BROWSER.encode(), 1))
                expected = plain[[each for each, _ in requests].index(name)]
                assert content(answer) == expected.body, name
                assert answer.status == expected.status, name


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("api", ["rest", "graphql", "graphql by get"])
async def test_each_path_sends_the_same_compressed_answer(
    served: Served, account: Account, coding: str, api: str
) -> None:
    """The standard path first, then replays of it: read anew, and from the cache."""

    def request(*headers: str) -> bytes:
        if api == "rest":
            return wire("GET", LIST, account.token, *headers)
        if api == "graphql":
            return graphql(account.token, QUERY, *headers, first=15)
        return wire(
            "GET", "/graphql?query={backupDestinations(first:15){nodes{id,label,createdAt}}}", account.token, *headers
        )

    plain = await served.ask_standard(request())
    first = await served.ask_standard(request(CODINGS[coding]))
    replays = [await served.ask(request(CODINGS[coding])) for _ in range(3)]

    assert replays == [first] * 3
    assert header(first, "content-encoding") == coding.encode()
    assert header(first, "content-length") == b"%d" % len(first.body)
    assert len(first.body) < len(plain.body) / 2
    assert content(first) == plain.body
    assert varies(first)
    assert not varies(plain)
    assert await served.ask(request()) == plain
    tag, of_plain = header(first, "etag"), header(plain, "etag")
    assert tag == (None if of_plain is None else b'%s-%s"' % (of_plain[:-1], coding.encode()))


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_tag_is_good_for_a_304_where_its_form_is_accepted_and_for_any_change(
    served: Served, account: Account, coding: str
) -> None:
    accepts = CODINGS[coding]
    for target in (LIST, "/api/openapi.json"):
        tags = [
            header(await served.ask(wire("GET", target, account.token, *more)), "etag") for more in ((), (accepts,))
        ]
        assert len(set(tags)) == 2
        for tag in map(bytes.decode, filter(None, tags)):
            for more in ((), (accepts,), ("Accept-Encoding: identity",)):
                for _ in range(2):
                    sent = wire("GET", target, account.token, *more, f"If-None-Match: {tag}")
                    answer = await served.ask(sent)
                    assert varies(answer) == bool(more)
                    if coding in tag and more != (accepts,):
                        assert answer.status == b"HTTP/1.1 200 OK"
                        assert header(answer, "etag") == tags[0]
                    else:
                        assert answer.status == b"HTTP/1.1 304 Not Modified"
                        assert (header(answer, "etag"), answer.body) == (tag.encode(), b"")
                    assert header(answer, "content-encoding") is None

    number = await account.create("local", label="x" * 200)
    item = f"{LIST}/{number}"
    forced = ("Accept-Encoding: gzip, identity;q=0",)
    for more in ((accepts,), (), forced):
        tag = (header(await served.ask(wire("GET", item, account.token, *more)), "etag") or b"").decode()
        assert ("-gzip" in tag) == (more == forced)
        changed, stale = [
            await served.ask(
                wire("PUT", item, account.token, *JSON, f"If-Match: {tag}", accepts, body=b'{"label": "%d"}' % number)
            )
            for number in (len(more), 9)
        ]
        assert changed.status == b"HTTP/1.1 200 OK"
        assert stale.status == b"HTTP/1.1 412 Precondition Failed"


async def test_head_has_the_headers_of_get(served: Served, account: Account) -> None:
    for target in (LIST, f"{LIST}?per_page=1", "/api/openapi.json", "/"):
        for accepts in (*CODINGS.values(), "Accept-Encoding: gzip;q=0, *;q=0"):
            sent = [wire(method, target, account.token, accepts) for method in ("GET", "HEAD")]
            get, head = [await served.ask(each) for each in sent]
            assert head.headers == get.headers
            assert varies(head)


async def test_small_answers_and_refused_codings_are_sent_as_they_are(served: Served, account: Account) -> None:
    """They say all the same that they depend on what the client accepts."""
    number = await account.create("local")
    for target, accepts in (
        (f"{LIST}/{number}", BROWSER),
        (LIST, "Accept-Encoding: gzip;q=0"),
        (LIST, "Accept-Encoding: identity"),
        (LIST, "Accept-Encoding:"),
        (LIST, "Accept-Encoding: br"),
        (f"{LIST}/0", BROWSER),
    ):
        plain = await served.ask(wire("GET", target, account.token))
        for _ in range(2):
            answer = await served.ask(wire("GET", target, account.token, accepts))
            assert answer.body == plain.body
            assert header(answer, "etag") == header(plain, "etag")
            assert varies(answer)


async def test_public_documents_and_introspection_are_compressed_once(served: Served) -> None:
    """With a token and without."""
    introspection = graphql("", "{ __schema { types { name description fields { name description } } } }", BROWSER)
    for sent in (wire("GET", "/api/openapi.json", "", BROWSER), introspection, wire("GET", "/metrics", "", BROWSER)):
        answers = [await served.ask(sent) for _ in range(2)]
        assert {header(answer, "content-encoding") for answer in answers} == {b"zstd"}
        assert len(content(answers[0])) > 3 * len(answers[0].body)


async def test_vary_keeps_what_it_says_of_other_headers(gateway: Gateway, account: Account) -> None:
    async with serving(gateway, cors_origins=("https://console.example",)) as served:
        for sent in (
            wire("GET", LIST, account.token, BROWSER, "Origin: https://console.example"),
            wire("GET", f"{LIST}/0", account.token, BROWSER, "Origin: https://console.example"),
            graphql(account.token, QUERY, BROWSER, "Origin: https://console.example", first=15),
        ):
            for _ in range(3):
                answer = await served.ask(sent)
                vary = (header(answer, "vary") or b"").decode().replace(" ", "").split(",")
                assert {"Accept-Encoding", "Origin"} <= set(vary)
                assert len(set(vary)) == len(vary)


async def test_what_holds_signatures_is_never_compressed(served: Served, account: Account) -> None:
    """A grant's answer, of either API: a client's own text and what must not be guessed stand in one body."""
    number = await account.create("custom_s3", custom_s3_endpoint="http://127.0.0.1:9")
    body = orjson.dumps({"operations": ["get", "put"], "key": "x" * 500})
    forced = "Accept-Encoding: gzip, identity;q=0"
    by_rest = await served.ask(wire("POST", f"{LIST}/{number}/grants", account.token, *JSON, forced, body=body))
    mutation = 'mutation { deleteBackupDestination(id: "BackupDestination:0") { __typename } }'
    by_graphql = await served.ask(graphql(account.token, mutation, forced))

    assert by_rest.status == b"HTTP/1.1 201 Created"
    assert len(by_rest.body) > 1_024
    assert by_graphql.status == b"HTTP/1.1 200 OK"
    assert header(by_rest, "content-encoding") is None
    assert header(by_graphql, "content-encoding") is None
    assert header(await served.ask(wire("GET", f"{LIST}/0", account.token, forced)), "content-encoding") == b"gzip"


async def test_a_stream_is_sent_as_it_comes(served: Served, account: Account) -> None:
    document = "subscription { backupDestinationEvents { __typename } }"
    sent = graphql(account.token, document, BROWSER, "Accept: text/event-stream")
    async with served.connection() as talk:
        talk.writer.write(sent)
        head = (await talk._reader.readuntil(b"\r\n\r\n")).lower()

    assert b"content-type: text/event-stream" in head
    assert b"content-encoding" not in head
    assert b"accept-encoding" not in head
