"""Persisted queries after Apollo's protocol, and what else a request may ask of its response."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import orjson
import pytest

from models.accounts.viewer import Protocol, Viewer
from schema.execution.engine import Engine, NotExecuted
from schema.execution.persisted.store import MAX_BYTES, MAX_DOCUMENTS, USER_BYTES, USER_DOCUMENTS, DocumentStore
from schema.limits import Limits
from tests.schema.transport.test_http import GRAPHQL, answer_to, codes_of
from tests.schema.transport.test_websocket import greeted
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import PATH, http_client

VIEWER = "{ viewer { name } }"
DATA = {"data": {"viewer": {"name": "Test"}}}


def hashed(text: str, hash_: str | None = None) -> dict[str, Any]:
    """The extensions of a request for this document."""
    return {"persistedQuery": {"version": 1, "sha256Hash": hash_ or sha256(text.encode()).hexdigest()}}


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    """A user with a token of all abilities."""
    return await gateway.new_user()


@pytest.fixture(scope="module")
def without() -> Iterator[Gateway]:
    """A gateway without persisted queries."""
    gateway = Gateway(graphql_persisted_queries="false").start()
    yield gateway
    gateway.close()


@pytest.mark.parametrize("empty", [{}, {"query": None}, {"query": ""}])
async def test_a_hash_is_enough_once_the_document_was_sent_with_it(account: Account, empty: dict[str, Any]) -> None:
    text = f"{VIEWER} # {account.user_id}"

    unknown = await answer_to(account, {"extensions": hashed(text)} | empty)
    unknown_strictly = await answer_to(account, {"extensions": hashed(text)}, accept=GRAPHQL)
    stored = await answer_to(account, {"query": text, "extensions": hashed(text)})
    known = [await answer_to(account, {"extensions": hashed(text)} | empty) for _ in range(4)]

    assert (unknown.status_code, codes_of(unknown)) == (200, ["PERSISTED_QUERY_NOT_FOUND"])
    assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert (unknown_strictly.status_code, codes_of(unknown_strictly)) == (400, ["PERSISTED_QUERY_NOT_FOUND"])
    assert [answer.json() for answer in (stored, *known)] == [DATA] * 5


async def test_a_hash_in_the_url_is_cached_and_has_a_tag(account: Account) -> None:
    text = f"{VIEWER} # by GET {account.user_id}"
    await answer_to(account, {"query": text, "extensions": hashed(text)})
    parameters = {"extensions": orjson.dumps(hashed(text)).decode()}

    async with http_client(account) as client:
        answer = await client.get(PATH, params=parameters)
        again = await client.get(PATH, params=parameters, headers={"if-none-match": answer.headers["etag"]})

    assert (answer.status_code, answer.json(), again.status_code) == (200, DATA, 304)


async def test_a_hash_is_enough_on_a_websocket_too(account: Account) -> None:
    text = f"{VIEWER} # over WebSocket {account.user_id}"
    async with greeted(account) as talk:
        await talk.say("subscribe", id="a", payload={"extensions": hashed(text)})
        unknown = await talk.hear()
        await talk.subscribe("b", text, extensions=hashed(text))
        stored = [await talk.hear(), await talk.hear()]
        await talk.say("subscribe", id="c", payload={"extensions": hashed(text)})
        known = await talk.hear()

    assert unknown["payload"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    assert stored[0]["payload"] == known["payload"] == DATA


@pytest.mark.parametrize(
    "extensions",
    [
        {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}},
        {"persistedQuery": {"version": 2, "sha256Hash": sha256(VIEWER.encode()).hexdigest()}},
        {"persistedQuery": {"version": 1, "sha256Hash": "x"}},
        {"persistedQuery": {"version": 1, "sha256Hash": 1}},
        {"persistedQuery": "x"},
    ],
)
async def test_a_wrong_hash_is_refused(extensions: dict[str, Any], account: Account) -> None:
    answer = await answer_to(account, {"query": VIEWER, "extensions": extensions}, accept=GRAPHQL)

    assert (answer.status_code, codes_of(answer)) == (400, ["BAD_REQUEST"])


async def test_a_gateway_without_persisted_queries_says_so_and_takes_texts(without: Gateway) -> None:
    """Clients then send the text, with the hash or without it."""
    account = await without.new_user()

    alone = await answer_to(account, {"extensions": hashed(VIEWER)})
    both = await answer_to(account, {"query": VIEWER, "extensions": hashed(VIEWER)})

    assert (alone.status_code, codes_of(alone)) == (200, ["PERSISTED_QUERY_NOT_SUPPORTED"])
    assert alone.json()["errors"][0]["message"] == "PersistedQueryNotSupported"
    assert both.json() == DATA


def test_only_valid_documents_of_viewers_are_stored() -> None:
    """A client without a token stores none, not even one of introspection."""
    engine = Engine(Limits())
    viewer = Viewer(
        user_id=1, name="A", email="a@example.com", abilities=frozenset(), protocol=Protocol.GRAPHQL, revision=0,
        destination_count=0,
    )  # fmt: skip
    with pytest.raises(NotExecuted):
        engine.prepare("{ nothing }", None, sha256=sha256(b"{ nothing }").hexdigest(), viewer=viewer)
    engine.prepare("{ __typename }", None, sha256=sha256(b"{ __typename }").hexdigest(), is_anonymous=True)
    assert engine.persisted.store_of_users.bytes == 0

    engine.prepare(VIEWER, None, sha256=sha256(VIEWER.encode()).hexdigest(), viewer=viewer)
    assert len(engine.persisted.store_of_users) == 1


def test_the_store_is_bounded_and_so_is_the_share_of_a_user() -> None:
    """By bytes and by number; what one user sends takes no place of what another one has sent."""
    store = DocumentStore()
    store.put("of another", VIEWER, 2)
    for number in range(200):
        store.put(f"large {number}", f"# {number} " + "x" * 40_000, 1)
        assert store.bytes <= USER_BYTES + 1_000
    assert store.get("of another") == VIEWER
    assert store.get("large 199") is not None
    assert store.get("large 0") is None
    for number in range(2 * USER_DOCUMENTS):
        store.put(f"small {number}", f"# {number}", 1)
    assert len(store) == 1 + USER_DOCUMENTS

    for user in range(3, 40):
        for number in range(USER_DOCUMENTS):
            store.put(f"{user} {number}", f"# {number} " + "x" * 2_000, user)
        assert store.bytes <= MAX_BYTES
        assert len(store) <= MAX_DOCUMENTS
    assert store.bytes > 0.9 * MAX_BYTES
    assert store.get("of another") == VIEWER
    store.put("too large", "x" * USER_BYTES, 1)
    assert store.get("too large") is None


@pytest.mark.parametrize("times", [1, 4])
async def test_a_response_shows_its_cost_where_a_header_asks_for_it(times: int, account: Account) -> None:
    """Before and after the same request came without the header, and with variables."""
    query = "query ($n: Int) { backupDestinations(first: $n) { edges { cursor } } }"
    body = {"query": query, "variables": {"n": 20}}
    for _ in range(times):
        plain = await answer_to(account, body)
    answers = [await answer_to(account, body, x_graphql_cost="1") for _ in range(times)]
    later = await answer_to(account, body)

    assert plain.json() == later.json() == {"data": {"backupDestinations": {"edges": []}}}
    for answer in answers:
        assert answer.json() == plain.json() | {"extensions": {"cost": {"requested": 41, "limit": 5_000}}}


async def test_a_trailing_slash_is_the_same_api(account: Account) -> None:
    async with http_client(account) as client:
        answer = await client.post(f"{PATH}/", json={"query": VIEWER})

    assert answer.json() == DATA
