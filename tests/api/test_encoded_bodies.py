"""A body with a content coding is refused by both APIs, and the refusal says what they take (RFC 9110, 15.5.16)."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from tests.support.api.destinations import LIST, at, draft
from tests.support.gateway.gateway import Gateway

QUERY = {"query": "{ viewer { id } }"}
KEY = {"Idempotency-Key": "a-key-of-this-test"}


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "identity, gzip", "x-unknown"])
async def test_an_encoded_body_is_refused_with_the_codings_that_are_taken(gateway: Gateway, coding: str) -> None:
    """Compressed or by its word alone, on a cached read and under an Idempotency-Key; nothing is changed."""
    account = await gateway.new_user()
    async with account.client() as client:
        id_ = (await client.post(LIST, json=draft("local"))).json()["data"]["id"]
        for _ in range(3):  # a repeated one takes the fast path
            assert (await client.post("/graphql", json=QUERY)).status_code == 200
        answers = [
            await client.request(
                method,
                path,
                content=gzip.compress(orjson.dumps(body)) if compressed else orjson.dumps(body),
                headers={"Content-Type": "application/json", "Content-Encoding": coding, **key},
            )
            for method, path, body in (
                ("POST", LIST, draft("local")),
                ("PUT", at(id_), {"label": "New"}),
                ("POST", "/graphql", QUERY),
            )
            for compressed in (True, False)
            for key in ({}, KEY)
        ]
        listed = (await client.get(LIST)).json()["data"]

    assert [(answer.status_code, answer.headers.get("accept-encoding")) for answer in answers] == [
        (415, "identity")
    ] * len(answers)
    assert all(b"must not be compressed" in answer.content for answer in answers)
    assert [row["label"] for row in listed] == [draft("local")["label"]]


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
async def test_a_body_as_it_is_may_say_so(gateway: Gateway, coding: str) -> None:
    account = await gateway.new_user()
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}

    async def post(path: str, body: Any) -> int:
        return (await client.post(path, content=orjson.dumps(body), headers=headers)).status_code

    async with account.client() as client:
        assert (await post(LIST, draft("local")), await post("/graphql", QUERY)) == (201, 200)
