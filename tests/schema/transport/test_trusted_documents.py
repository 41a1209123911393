"""Trusted documents: asked for by ID or hash, and what becomes of all others, by the token of a request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from schema.trusted_documents import TrustMode, load_documents, parse_rules
from tests.schema.transport.test_http import answer_to, codes_of
from tests.schema.transport.test_persisted_queries import DATA, VIEWER, hashed
from tests.schema.transport.test_websocket import greeted
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import PATH, http_client

OTHER = "{ viewer { email } }"
REFUSED = "DOCUMENT_NOT_TRUSTED"


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as relay-compiler writes it, with an MD5 as ID."""
    path = tmp_path_factory.mktemp("documents") / "documents.json"
    path.write_text(json.dumps({"5f4dcc3b5aa765d61d8327deb882cf99": VIEWER, "sha256:short": VIEWER}))
    return path


@pytest.fixture(scope="module")
def trusting(documents: Path) -> Iterator[Gateway]:
    """A gateway that enforces trust for tokens called "test", warns for "lenient", and only looks at others."""
    gateway = Gateway(
        graphql_trusted_documents=str(documents),
        graphql_trust="observe, test=enforce, lenient=warn",
        graphql_persisted_queries="false",
    ).start()
    yield gateway
    gateway.close()


async def token_named(account: Account, name: str) -> Account:
    """The account with a token of that name."""
    await account.gateway.rows(f"UPDATE tokens SET name = '{name}' WHERE user_id = {account.user_id}")  # noqa: S608
    return account


async def test_a_trusted_document_is_found_by_its_id_and_by_its_hash(trusting: Gateway) -> None:
    """And executed where it is sent as a text, too; over HTTP, by GET, and over WebSocket."""
    account = await trusting.new_user()
    hash_ = sha256(VIEWER.encode()).hexdigest()
    forms: list[dict[str, Any]] = [
        {"documentId": "5f4dcc3b5aa765d61d8327deb882cf99"},
        {"documentId": hash_},
        {"documentId": f"sha256:{hash_}"},
        {"documentId": "sha256:short"},
        {"extensions": hashed(VIEWER, "5f4dcc3b5aa765d61d8327deb882cf99")},
        {"extensions": hashed(VIEWER, "sha256:short")},
        {"query": VIEWER, "extensions": hashed(VIEWER, "sha256:short")},
        {"extensions": hashed(VIEWER, hash_.upper())},
        {"extensions": hashed(VIEWER)},
        {"query": VIEWER},
        {"query": VIEWER, "extensions": hashed(VIEWER)},
    ]

    for form in forms:
        for _ in range(3):
            assert (await answer_to(account, form)).json() == DATA, form
    async with http_client(account) as client:
        answer = await client.get(PATH, params={"documentId": hash_})
        again = await client.get(PATH, params={"documentId": hash_}, headers={"if-none-match": answer.headers["etag"]})
    async with greeted(account) as talk:
        await talk.say("subscribe", id="a", payload={"documentId": hash_})
        heard = await talk.hear()

    assert (answer.json(), again.status_code, heard["payload"]) == (DATA, 304, DATA)
    assert answer.headers["cache-control"] == "private, max-age=0, must-revalidate"


async def test_other_documents_are_refused_where_trust_is_enforced(trusting: Gateway) -> None:
    """However often they come, over each transport, and though another token's request was executed before."""
    enforced, lenient = await trusting.new_user(), await token_named(await trusting.new_user(), "lenient")
    observed = await token_named(await trusting.new_user(), "anything else")

    for _ in range(4):
        warned = (await answer_to(lenient, {"query": OTHER})).json()
        assert warned["extensions"] == {
            "warnings": ["This document is not one of the trusted documents of this gateway."]
        }
        assert warned["data"]["viewer"]["email"] == lenient.email
        assert (await answer_to(observed, {"query": OTHER})).json() == {"data": {"viewer": {"email": observed.email}}}
        refused = await answer_to(enforced, {"query": OTHER})
        assert codes_of(refused) == [REFUSED]
        async with http_client(enforced) as client:
            assert codes_of(await client.get(PATH, params={"query": OTHER})) == [REFUSED]
    async with greeted(enforced) as talk:
        await talk.subscribe("a", OTHER)
        heard = await talk.hear()
    unknown = await answer_to(enforced, {"documentId": "0" * 64})
    async with enforced.client() as client:
        metrics = await client.get("/metrics")

    assert heard["payload"][0]["extensions"]["code"] == REFUSED
    assert codes_of(unknown) == ["PERSISTED_QUERY_NOT_FOUND"]
    assert 'moorings_untrusted_documents_total{mode="observe"} 4.0' in metrics.text
    log = trusting.log_text()
    assert log.count(f"Not a trusted document: {sha256(OTHER.encode()).hexdigest()}") == 1
    assert OTHER not in log


async def test_malformed_ids_are_no_requests(gateway: Gateway) -> None:
    account = await gateway.new_user()

    for given in (
        {"documentId": 1},
        {"documentId": ""},
        {"documentId": "x" * 257},
        {"documentId": "x", "query": VIEWER},
        {"extensions": hashed(VIEWER, "x" * 257)},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": ""}}},
    ):
        assert codes_of(await answer_to(account, given)) == ["BAD_REQUEST"]
    for given in ({"documentId": "x"}, {"extensions": hashed(VIEWER, "x")}):
        assert codes_of(await answer_to(account, given)) == ["PERSISTED_QUERY_NOT_FOUND"]


def test_files_of_the_usual_tools_are_read(tmp_path: Path) -> None:
    """By ID, and Apollo's manifest; anything else is refused in a sentence."""
    path = tmp_path / "documents.json"
    manifest = {"format": "apollo-persisted-query-manifest", "version": 1}
    path.write_text(json.dumps(manifest | {"operations": [{"id": "a", "name": "A", "type": "query", "body": VIEWER}]}))
    assert load_documents(path).get("a") == VIEWER

    for bad in (
        "",
        "[]",
        "1",
        '{"a": 1}',
        '{"a": ""}',
        json.dumps(manifest),
        json.dumps(manifest | {"operations": [{}]}),
    ):
        path.write_text(bad)
        with pytest.raises(ValueError, match="JSON file"):
            load_documents(path)
    with pytest.raises(ValueError, match="JSON file"):
        load_documents(tmp_path / "missing")


def test_the_mode_is_of_the_token_or_of_all() -> None:
    rules = parse_rules("warn, web app=enforce,ci = off")

    assert [rules.mode_of(name) for name in (None, "other", "web app", "ci")] == [
        *(TrustMode.WARN, TrustMode.WARN, TrustMode.ENFORCE, TrustMode.OFF)
    ]
    assert parse_rules("off").are_off
    for bad in ("on", "web=on", "enforced"):
        with pytest.raises(ValueError, match="it wants off"):
            parse_rules(bad)
