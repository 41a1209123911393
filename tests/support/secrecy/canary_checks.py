"""Checks and tests with secret keys, of stores that repeat them and say things of their own, wherever there is room."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_documents import CHECK, CREATE, EVENTS, LIST, TEST, draft
from tests.support.secrecy.canary import Canaries
from tests.support.secrecy.canary_requests import Shot
from tests.support.stores.peers import MemoryStore, Override, ReceivedRequest, answer, error, listening

Fire = Callable[[Gateway, bytes], Any]
STATUSES = ("400 Bad Request", "403 Forbidden", "301 Moved", "500 Oops")
CODES = ("SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "AccessDenied", "")
"""The last stands for a word of the store's own."""


def stores(spoken: Canaries) -> list[Override | None]:
    """Ways for a store to answer; `spoken` are the words of their own."""

    def talkative(status: str, code: str, method: str) -> Override:
        async def override(asked: ReceivedRequest) -> bytes | None:
            if asked.method != method:
                return None
            word, told = spoken.new(), asked.headers["authorization"]
            inside = f"<Region>{word}</Region><Endpoint>{word}</Endpoint><AWSAccessKeyId>{told}</AWSAccessKeyId>"
            names = ("server", "x_amz_bucket_region", "x_amz_request_id", "x_amz_version_id", "location", "set_cookie")
            headers = dict.fromkeys(names, f"{word} {told}")
            return error(f"{status} {word}", code or word, inside, **headers)

        return override

    async def page(_asked: ReceivedRequest) -> bytes:
        return answer("200 OK", f"<html>{spoken.new()}</html>".encode(), content_type="text/html")

    async def garbage(_asked: ReceivedRequest) -> bytes:
        return f"{spoken.new()}\r\n\r\n{spoken.new()}".encode()

    talking = [talkative(s, c, m) for s, c in zip(STATUSES, CODES, strict=True) for m in ("GET", "PUT", "DELETE")]
    return [None, page, garbage, *talking]


def shot(query: str, **variables: Any) -> Shot:
    """A GraphQL request."""
    return Shot(method="POST", path="/graphql", body=json.dumps({"query": query, "variables": variables}).encode())


async def fire_checks(account: Account, fire: Fire, canaries: Canaries, spoken: Canaries) -> list[bytes]:
    """The answers to a test and a check of every store, and to whoever asks afterwards."""
    answers: list[bytes] = []

    async def asked(query: str, **variables: Any) -> bytes:
        answers.append(await fire(account.gateway, shot(query, **variables).encoded(account.full_token)))
        return answers[-1]

    async def ask_about(endpoint: str) -> None:
        keys = {"accessKey": canaries.new(), "secretKey": canaries.new()}
        given = draft("customS3", endpoint=endpoint, pathStyleEndpoint=True, credentials=keys)
        await asked(TEST, input=given)
        found = re.search(rb"BackupDestination:[0-9]+", await asked(CREATE, input=given))
        assert found is not None
        await asked(CHECK, id=found[0].decode())
        await asked(CHECK, id=found[0].decode(), depth="READ_ONLY")

    async with AsyncExitStack() as stack:
        peers = [
            await stack.enter_async_context(listening(MemoryStore(override).script)) for override in stores(spoken)
        ]
        turns = asyncio.Semaphore(4)

        async def take_turn(endpoint: str) -> None:
            async with turns:
                await ask_about(endpoint)

        await asyncio.gather(*(take_turn(peer.url) for peer in peers))
        await asked(TEST, input=draft("customS3", endpoint=f"{peers[0].url}/?{canaries.new()}"))
        await asked(TEST, input=canaries.new())
        await asked(CHECK, id=canaries.new())
        await asked(LIST, first=100)
        await asked(EVENTS, first=100)
    return answers
