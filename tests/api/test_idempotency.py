"""A request under an Idempotency-Key is carried out once and answered as the first time, by both APIs and databases."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from models.vault.vault import generate_key
from tests.support.api.destinations import LIST, assert_refused, at, draft, events_of
from tests.support.databases.databases import database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import PATH
from tests.support.graphql.graphql_documents import destination_id

IN_PARALLEL = 20
REUSED = "This Idempotency-Key was sent before with another request; a new request needs a new key."
MALFORMED = "An Idempotency-Key is one string of 1 to 255 visible characters of ASCII."
CREATE = """mutation Create($label: String!) { made: createBackupDestination(input: {local: {label: $label}}) {
  __typename ... on Problem { message }
  ... on CreateBackupDestinationPayload { backupDestination { id label version createdAt } } } }"""
CREATE_TWO = """mutation($label: String!) {
  first: createBackupDestination(input: {local: {label: $label}}) { ...Made }
  second: createBackupDestination(input: {local: {label: $label}}) { ...Made } }
fragment Made on CreateBackupDestinationResult { __typename
  ... on CreateBackupDestinationPayload { backupDestination { id } } }"""
UPDATE = """mutation($id: ID!, $version: Int) {
  updateBackupDestination(id: $id, input: {label: "changed"}, expectedVersion: $version) { __typename
    ... on UpdateBackupDestinationPayload { backupDestination { label version updatedAt } } } }"""
DELETE = "mutation($id: ID!) { deleteBackupDestination(id: $id) { __typename ... on Problem { message } } }"


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    """A user of each gateway."""
    return await gateway.new_user()


@pytest.fixture
async def client(account: Account) -> AsyncIterator[httpx.AsyncClient]:
    """Their client."""
    async with account.client() as client:
        yield client


def keyed(key: str) -> dict[str, str]:
    """The header."""
    return {"Idempotency-Key": key}


def assert_replays(first: httpx.Response, second: httpx.Response) -> None:
    """The second is the first, byte for byte, and says so."""
    assert first.is_success, first.text
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers.get("location") == first.headers.get("location")
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"


async def total(client: httpx.AsyncClient) -> int:
    """How many destinations the user has."""
    return int((await client.get(LIST)).json()["meta"]["total"])


async def mutate(client: httpx.AsyncClient, text: str, key: str, **variables: Any) -> httpx.Response:
    """The answer to a mutation under a key."""
    return await client.post(PATH, json={"query": text, "variables": variables}, headers=keyed(key))


@pytest.mark.parametrize("kind", ["s3", "custom_s3", "local"])
async def test_a_repeated_post_is_answered_as_the_first_time(client: httpx.AsyncClient, kind: str) -> None:
    """Whatever happened to the destination since, and however the body is spelt."""
    body = draft(kind)
    first = await client.post(LIST, json=body, headers=keyed("a"))
    await client.put(at(first.json()["data"]["id"]), json={"label": "changed since"})
    turned = orjson.dumps(dict(reversed(body.items())), option=orjson.OPT_INDENT_2)
    again = await client.post(LIST, content=turned, headers={**keyed('"a"'), "Content-Type": "application/json"})
    other = await client.post(LIST, json=body, headers=keyed("b"))

    assert_replays(first, again)
    assert other.json()["data"]["id"] != first.json()["data"]["id"]
    assert await total(client) == 2


async def test_a_repeated_put_and_delete_are_answered_as_the_first_time(
    account: Account, client: httpx.AsyncClient
) -> None:
    """Although the condition fails by now, and the row is gone."""
    number = await account.create("local", label="first")
    headers = keyed("put") | {"If-Match": (await client.get(at(number))).headers["etag"]}
    changes = [await client.put(at(number), json={"label": "second"}, headers=headers) for _ in range(2)]
    assert_refused(await client.put(at(number), json={"label": "x"}, headers=headers | keyed("new")), 412)
    nothing = [await client.put(at(number), json={"label": "second"}, headers=keyed("same")) for _ in range(2)]
    removals = [await client.delete(at(number), headers=keyed("delete")) for _ in range(2)]

    assert_replays(*changes)
    assert_replays(*nothing)
    assert_replays(*removals)
    assert_refused(await client.delete(at(number), headers=keyed("another")), 404)
    assert [event["kind"] for event in await events_of(account.gateway, account.user_id)] == [
        "created",
        "updated",
        "deleted",
    ]


async def test_a_key_of_another_request_is_refused(account: Account, client: httpx.AsyncClient) -> None:
    """Another body, method, path or API."""
    number = await account.create("local")
    assert (await client.post(LIST, json=draft("local"), headers=keyed("a"))).status_code == 201
    others = [
        await client.post(LIST, json=draft("local", label="other"), headers=keyed("a")),
        await client.put(at(number), json=draft("local"), headers=keyed("a")),
        await client.delete(at(number), headers=keyed("a")),
    ]
    by_graphql = [
        await mutate(client, CREATE, "a", label="x"),
        await mutate(client, CREATE_TWO, "a", label="x"),
        await mutate(client, DELETE, "a", id=destination_id(number)),
    ]

    for answer in others:
        assert_refused(answer, 422)
        assert (answer.json()["message"], answer.json()["errors"]) == (REUSED, {"idempotency_key": [REUSED]})
    assert by_graphql[0].json()["data"]["made"] == {"__typename": "IdempotencyKeyProblem", "message": REUSED}
    assert {each["__typename"] for answer in by_graphql for each in answer.json()["data"].values()} == {
        "IdempotencyKeyProblem"
    }
    assert await total(client) == 2


@pytest.mark.parametrize("text", [CREATE, CREATE_TWO], ids=["compiled", "by graphql-core"])
async def test_a_repeated_mutation_is_answered_as_the_first_time(client: httpx.AsyncClient, text: str) -> None:
    """Each mutation of a document has a key of its own, made of the request's and its name in the response."""
    first, again = [await mutate(client, text, "a", label="x") for _ in range(2)]
    reused = await mutate(client, text, "a", label="y")

    assert_replays(first, again)
    assert {each["__typename"] for each in reused.json()["data"].values()} == {"IdempotencyKeyProblem"}
    assert await total(client) == len(first.json()["data"])


async def test_a_repeated_change_and_removal_by_graphql_are_answered_as_the_first_time(
    account: Account, client: httpx.AsyncClient
) -> None:
    number = await account.create("s3", label="first")
    id_ = destination_id(number)
    shown = await client.post(PATH, json={"query": f'{{ backupDestination(id: "{id_}") {{ version }} }}'})
    version = shown.json()["data"]["backupDestination"]["version"]
    changes = [await mutate(client, UPDATE, "a", id=id_, version=version) for _ in range(2)]
    removals = [await mutate(client, DELETE, "b", id=id_) for _ in range(2)]

    assert_replays(*changes)
    assert changes[0].json()["data"]["updateBackupDestination"]["backupDestination"]["label"] == "changed"
    assert_replays(*removals)
    assert removals[0].json()["data"]["deleteBackupDestination"] == {"__typename": "DeleteBackupDestinationPayload"}


async def test_a_refused_request_leaves_its_key_free(account: Account, client: httpx.AsyncClient) -> None:
    """Nothing was changed: the same key serves for the request that is put right."""
    number = await account.create("local")
    refused = await client.post(LIST, json=draft("local", label=""), headers=keyed("a"))
    malformed = await client.post(LIST, content=b"{", headers={**keyed("a"), "Content-Type": "application/json"})
    invalid = await mutate(client, CREATE, "a", label="x" * 256)
    made = await client.post(LIST, json=draft("local"), headers=keyed("a"))
    missing = await client.delete(at(2_000_000_001), headers=keyed("b"))

    assert_refused(refused, 422)
    assert_refused(malformed, 400)
    assert invalid.json()["data"]["made"]["__typename"] == "ValidationProblem"
    assert made.status_code == 201
    assert_refused(missing, 404)
    assert (await client.delete(at(number), headers=keyed("b"))).status_code == 200


@pytest.mark.parametrize("key", ["", '""', "a b", "é", "x" * 256, '"a', '"a"b"', '"a"; b=1', '"a\\b"'])
async def test_a_malformed_key_is_refused(client: httpx.AsyncClient, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode())]
    posted = await client.post(LIST, json=draft("local"), headers=headers)
    asked = await client.post(PATH, json={"query": CREATE, "variables": {"label": "x"}}, headers=headers)
    twice = await client.post(LIST, json=draft("local"), headers=[(b"Idempotency-Key", b"a")] * 2)

    assert_refused(posted, 400)
    assert posted.json()["message"] == MALFORMED
    assert (asked.status_code, asked.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
    assert_refused(twice, 400)
    assert await total(client) == 0


@pytest.mark.parametrize("key", ["x" * 255, "!#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", '"a\\"b"'])
async def test_every_visible_character_may_be_in_a_key(client: httpx.AsyncClient, key: str) -> None:
    """Reads have no use for one, and let any be."""
    assert_replays(*[await client.post(LIST, json=draft("local"), headers=keyed(key)) for _ in range(2)])
    assert (await client.get(LIST, headers=keyed("a b"))).status_code == 200


async def test_of_parallel_requests_with_one_key_one_is_carried_out(
    account: Account, client: httpx.AsyncClient
) -> None:
    """By both APIs; the others are answered as the first, or told to come again."""

    async def post(_: int) -> httpx.Response:
        return await client.post(LIST, json=draft("local"), headers=keyed("rest"))

    async def ask(_: int) -> httpx.Response:
        return await mutate(client, CREATE, "graphql", label="x")

    for send, status in ((post, 201), (ask, 200)):
        answers = await asyncio.gather(*map(send, range(IN_PARALLEL)))
        good = [answer for answer in answers if answer.status_code == status]
        busy = [answer for answer in answers if answer.status_code == 409]
        assert len(good) + len(busy) == IN_PARALLEL
        assert len({answer.content for answer in good}) == 1
        assert [answer.headers.get("Idempotent-Replayed") for answer in good].count(None) == 1
        assert all(answer.headers["Retry-After"] == "1" for answer in busy)
        assert_replays(next(a for a in good if "Idempotent-Replayed" not in a.headers), await send(0))
    assert await total(client) == 2


async def test_keyed_and_other_writes_go_together(account: Account, client: httpx.AsyncClient) -> None:
    """On PostgreSQL those without a key share statements; those with one have their own transactions."""
    sent = [keyed(f"{n}") if n % 2 else {} for n in range(IN_PARALLEL)]
    answers = await asyncio.gather(*(client.post(LIST, json=draft("local"), headers=headers) for headers in sent))
    again = [await client.post(LIST, json=draft("local"), headers=headers) for headers in sent if headers]

    assert [answer.status_code for answer in answers] == [201] * IN_PARALLEL
    assert [a.content for a in again] == [a.content for a, headers in zip(answers, sent, strict=True) if headers]
    assert await total(client) == IN_PARALLEL


async def test_a_key_is_its_users(gateway: Gateway, client: httpx.AsyncClient) -> None:
    other = await gateway.new_user()
    first = await client.post(LIST, json=draft("local"), headers=keyed("a"))
    async with other.client() as their_client:
        theirs = await their_client.post(LIST, json=draft("s3"), headers=keyed("a"))

    assert (first.status_code, theirs.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in theirs.headers


@asynccontextmanager
async def writes_wait(gateway: Gateway) -> AsyncIterator[None]:
    """While another process holds the lock that every write of the gateway needs."""
    if gateway.address.url is None:
        with closing(sqlite3.connect(str(gateway.address.path), isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            yield
        return
    connection = await asyncpg.connect(gateway.address.url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE backup_destinations IN SHARE MODE")
            yield
    finally:
        await connection.close()


async def test_a_request_whose_first_is_still_carried_out_comes_again_later(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    """409 with `Retry-After`, and the first answer when there is one."""
    async with writes_wait(gateway):
        sent = {asyncio.create_task(client.post(LIST, json=draft("local"), headers=keyed("a"))) for _ in range(2)}
        done, waiting = await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
    busy, answer = await done.pop(), await waiting.pop()

    if busy.status_code != 503 or gateway.engine == "postgresql":  # on SQLite a token waits for the lock as well
        assert_refused(busy, 409)
    assert busy.headers["Retry-After"] == "1"
    if not answer.is_success:  # the lock was held for longer than a write waits
        assert_refused(answer, 503)
        answer = await client.post(LIST, json=draft("local"), headers=keyed("a"))
    assert_replays(answer, await client.post(LIST, json=draft("local"), headers=keyed("a")))
    assert await total(client) == 1


async def test_over_a_websocket_the_key_is_an_extension_of_the_operation(
    account: Account, client: httpx.AsyncClient
) -> None:
    """An operation there has no headers."""
    url = account.gateway.url.replace("http", "ws", 1) + PATH
    payload = {"query": CREATE, "variables": {"label": "x"}, "extensions": {"idempotencyKey": "a"}}
    heard: list[dict[str, Any]] = []
    async with connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send(orjson.dumps({"type": "connection_init", "payload": {"token": account.token}}).decode())
        await socket.recv()
        for id_ in ("1", "2"):
            await socket.send(orjson.dumps({"id": id_, "type": "subscribe", "payload": payload}).decode())
            heard += [orjson.loads(await socket.recv()), orjson.loads(await socket.recv())]
    by_http = await mutate(client, CREATE, "a", label="x")

    results = [message["payload"] for message in heard if message["type"] == "next"]
    assert results[0] == results[1] == by_http.json()
    assert by_http.headers["Idempotent-Replayed"] == "true"
    assert await total(client) == 1


async def test_no_body_and_no_credentials_are_stored_with_a_key(account: Account, client: httpx.AsyncClient) -> None:
    body = draft("s3", label="a label to find")
    await client.post(LIST, json=body, headers=keyed("the-key-itself"))
    (row,) = await account.gateway.rows("SELECT * FROM idempotency_keys ORDER BY id DESC LIMIT 1")
    text = str(row)

    assert "a label to find" in row["result"]
    assert not any(secret in text for secret in (body["s3_access_key"], body["s3_secret_key"], "the-key-itself"))
    assert "access_key" not in row["result"]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_keys_are_known_to_all_workers_after_a_restart_and_a_rotation_until_they_expire(
    engine: str, postgres: PostgresServer
) -> None:
    """Two workers; then one, with a newer vault key in front; then a lifetime that is over."""
    gateway = Gateway(database_url(engine, postgres), workers=2, idempotency_lifetime="3600").start()
    try:
        account = await gateway.new_user()

        async def post(key: str) -> httpx.Response:
            async with account.client() as client:  # a connection of its own, and so maybe another worker's
                return await client.post(LIST, json=draft("s3"), headers=keyed(key))

        answers = await asyncio.gather(*(post("a") for _ in range(IN_PARALLEL)))
        again = [await post("a") for _ in range(5)]
        gateway.stop()
        gateway.workers = 1
        gateway.settings["secret_keys"] = f"{generate_key()},{gateway.settings['secret_keys']}"
        gateway.start()
        kept = await post("a")
        long_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
        await gateway.rows(f"UPDATE idempotency_keys SET created_at = '{long_ago}'")  # noqa: S608 - our own value
        new = await post("a")
        async with account.client() as client:
            made = await total(client)
    finally:
        gateway.close()

    good = {answer.content for answer in answers if answer.status_code != 409}
    assert good == {answer.content for answer in again} == {kept.content}
    assert kept.headers["Idempotent-Replayed"] == "true"
    assert new.json()["data"]["id"] != kept.json()["data"]["id"]
    assert made == 2
