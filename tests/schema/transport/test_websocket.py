"""GraphQL over WebSocket: the protocol graphql-transport-ws, message by message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.support.databases.stoppable_postgres import own_postgres
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import over_sse

LISTEN_AFTER = "subscription ($after: ID) { backupDestinationEvents(after: $after) { __typename backupDestinationId } }"
LISTEN = "subscription { backupDestinationEvents { __typename backupDestinationId } }"
CREATE = 'mutation { createBackupDestination(input: {local: {label: "Attic"}}) { __typename } }'
PROTOCOL = "graphql-transport-ws"


class Talk:
    """A socket that speaks in messages."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, type_: str, **others: Any) -> None:
        """Send a message."""
        await self.socket.send(orjson.dumps({"type": type_, **others}).decode())

    async def subscribe(self, id_: str, query: str, **others: Any) -> None:
        """Start an operation."""
        await self.say("subscribe", id=id_, payload={"query": query, **others})

    async def hear(self) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(10):
            message: dict[str, Any] = orjson.loads(await self.socket.recv())
        return message

    async def closed(self) -> tuple[int | None, str | None]:
        """The code and the reason the other end closes with."""
        async with asyncio.timeout(10):
            await self.socket.wait_closed()
        return self.socket.close_code, self.socket.close_reason


@asynccontextmanager
async def opened(account: Account, **headers: str) -> AsyncIterator[Talk]:
    """A socket on which nothing was said."""
    url = account.gateway.url.replace("http", "ws", 1) + "/graphql"
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], additional_headers=headers, max_queue=256) as socket:
        assert socket.subprotocol == PROTOCOL
        yield Talk(socket)


@asynccontextmanager
async def greeted(account: Account) -> AsyncIterator[Talk]:
    """A socket on which operations may begin."""
    async with opened(account) as talk:
        await talk.say("connection_init", payload={"Authorization": f"Bearer {account.token}"})
        assert await talk.hear() == {"type": "connection_ack"}
        yield talk


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    """Somebody who may do everything."""
    return await gateway.new_user()


FORMS: dict[str, Any] = {
    "Authorization": {"Authorization": "Bearer %"},
    "authorization": {"authorization": "bearer %"},
    "headers": {"headers": {"Authorization": "Bearer %"}},
    "token": {"token": "%"},
    "token with a scheme": {"token": "Bearer %"},
    "authToken": {"authToken": "%"},
    "beside other values": {"client": "web", "headers": {"x": 1}, "token": "%"},
}


@pytest.mark.parametrize("form", FORMS)
async def test_the_token_comes_in_each_form_that_clients_send(form: str, account: Account) -> None:
    """Browsers cannot set headers, so every client has a form of its own in `connection_init`."""
    payload = orjson.loads(orjson.dumps(FORMS[form]).replace(b"%", account.token.encode()))

    async with opened(account) as talk:
        await talk.say("connection_init", payload=payload)

        assert await talk.hear() == {"type": "connection_ack"}


async def test_a_start_without_a_token_says_which_form_is_needed(account: Account) -> None:
    async with opened(account) as talk:
        await talk.say("connection_init", payload={"jwt": account.token})

        assert await talk.closed() == (4401, 'Unauthorized: connection_init needs {"authorization": "Bearer <token>"}')


async def test_the_token_may_come_with_the_handshake(account: Account) -> None:
    """Clients other than browsers can set headers."""
    async with opened(account, Authorization=f"Bearer {account.token}") as talk:
        await talk.say("connection_init", payload={})

        assert await talk.hear() == {"type": "connection_ack"}


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{ viewer { name } }", {"viewer": {"name": "Test"}}),
        (CREATE, {"createBackupDestination": {"__typename": "CreateBackupDestinationPayload"}}),
    ],
    ids=["query", "mutation"],
)
async def test_an_operation_is_one_answer_and_the_end(query: str, data: dict[str, Any], account: Account) -> None:
    """`next`, then `complete`, both with its id."""
    async with greeted(account) as talk:
        await talk.subscribe("a", query)

        assert await talk.hear() == {"id": "a", "type": "next", "payload": {"data": data}}
        assert await talk.hear() == {"id": "a", "type": "complete"}


async def test_a_subscription_answers_until_the_client_completes_it(account: Account) -> None:
    """Nothing of it comes afterwards, and its id is free again."""
    async with greeted(account) as talk:
        await talk.subscribe("b", "{ viewer { latestEventId } }")
        latest, complete = await talk.hear(), await talk.hear()
        assert complete == {"id": "b", "type": "complete"}
        await talk.subscribe(
            "a", LISTEN_AFTER, variables={"after": latest["payload"]["data"]["viewer"]["latestEventId"]}
        )
        first = await account.create("local")
        heard = await talk.hear()
        await talk.say("complete", id="a")
        await account.create("local")
        await talk.subscribe("a", "{ viewer { name } }")
        rest = [await talk.hear(), await talk.hear()]

    event = {"__typename": "BackupDestinationCreated", "backupDestinationId": f"BackupDestination:{first}"}
    assert heard == {"id": "a", "type": "next", "payload": {"data": {"backupDestinationEvents": event}}}
    assert [(message["id"], message["type"]) for message in rest] == [("a", "next"), ("a", "complete")]
    assert rest[0]["payload"]["data"] == {"viewer": {"name": "Test"}}


async def test_operations_on_one_socket_do_not_wait_for_each_other(account: Account) -> None:
    """Each answer has the id of its operation; every one that answers is complete once."""
    async with greeted(account) as talk:
        await talk.subscribe("events", LISTEN)
        for number in range(20):
            await talk.subscribe(f"{number}", "query($n: Int) { viewer { name } events(first: $n) { __typename } }",
                                 variables={"n": number})  # fmt: skip
        heard = [await talk.hear() for _ in range(40)]

    for type_ in ("next", "complete"):
        assert sorted(int(message["id"]) for message in heard if message["type"] == type_) == list(range(20))


async def test_the_operation_that_was_named_is_run(account: Account) -> None:
    """One of several in a document."""
    async with greeted(account) as talk:
        await talk.subscribe("a", "query A { viewer { id } } query B { viewer { name } }", operationName="B")

        assert (await talk.hear())["payload"] == {"data": {"viewer": {"name": "Test"}}}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ viewer", "GRAPHQL_PARSE_FAILED"),
        ("{ secrets }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { viewer { id } } query B { viewer { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($n: Int!) { events(first: $n) { __typename } }", "BAD_USER_INPUT"),
        ('subscription { backupDestinationEvents(after: "x") { id } }', "BAD_USER_INPUT"),
    ],
)
async def test_what_does_not_begin_is_an_error_of_that_operation_alone(query: str, code: str, account: Account) -> None:
    """`error` with a list of errors ends it; nothing follows for its id, and the socket goes on."""
    async with greeted(account) as talk:
        await talk.subscribe("a", query)
        error = await talk.hear()
        await talk.subscribe("b", "{ viewer { name } }")
        others = [await talk.hear(), await talk.hear()]

    assert (error["id"], error["type"]) == ("a", "error")
    assert [set(entry) >= {"message", "extensions"} for entry in error["payload"]] == [True]
    assert error["payload"][0]["extensions"]["code"] == code
    assert [(message["id"], message["type"]) for message in others] == [("b", "next"), ("b", "complete")]


async def test_a_field_that_refuses_is_in_the_answer(account: Account) -> None:
    """The operation began: its errors come with what data there is."""
    async with greeted(account) as talk:
        await talk.subscribe("a", '{ viewer { name } node(id: "x") { id } }')
        answer, end = await talk.hear(), await talk.hear()

    assert answer["payload"]["data"] == {"viewer": {"name": "Test"}, "node": None}
    assert [error["extensions"]["code"] for error in answer["payload"]["errors"]] == ["BAD_USER_INPUT"]
    assert end == {"id": "a", "type": "complete"}


async def test_both_ends_may_ask_whether_the_other_is_there(account: Account) -> None:
    """`ping` is answered with `pong` and its payload, even before the start; an unasked `pong` is ignored."""
    async with opened(account) as talk:
        for number in range(150):
            await talk.say("ping", payload={"number": number})
        await talk.say("ping")
        await talk.say("pong")
        pongs = [await talk.hear() for _ in range(151)]
        assert pongs == [*({"type": "pong", "payload": {"number": n}} for n in range(150)), {"type": "pong"}]
        await talk.say("connection_init", payload={"token": account.token})

        assert await talk.hear() == {"type": "connection_ack"}


async def test_to_complete_what_is_not_there_is_no_harm(account: Account) -> None:
    """It may have been completed by both ends at once."""
    async with greeted(account) as talk:
        await talk.say("complete", id="a")
        await talk.say("ping")

        assert await talk.hear() == {"type": "pong"}


async def test_a_revoked_token_is_refused_by_the_next_operation(account: Account) -> None:
    """The socket was opened with it; that is no credit."""
    async with greeted(account) as talk:
        await account.gateway.rows(f"UPDATE users SET disabled_at = created_at WHERE id = {account.user_id}")  # noqa: S608 - our own integer
        await talk.subscribe("a", "{ viewer { name } }")

        assert await talk.closed() == (4403, "Forbidden")


@pytest.fixture
def small(fresh_database_url: str | None) -> Iterator[Gateway]:
    """A gateway that lets a user have two sockets and three subscriptions, and ask sixty times a minute."""
    gateway = Gateway(
        fresh_database_url, graphql_max_user_sockets="2", graphql_max_user_subscriptions="3", rate_limit="60/minute"
    ).start()
    yield gateway
    gateway.close()


async def listening(talk: Talk, id_: str) -> str:
    """Start a subscription; says whether it is open, which a message of a later operation shows, or refused."""
    await talk.subscribe(id_, LISTEN)
    await talk.subscribe(f"{id_} begun", "{ events(first: 0) { pageInfo { hasNextPage } } }")
    heard = [await talk.hear() for _ in range(2)]
    refused = [message for message in heard if message["type"] == "error"]
    if refused:
        await talk.hear()
        (error,) = refused[0]["payload"]
        return str(error["extensions"]["code"])
    return "open"


async def test_a_user_has_so_many_sockets_and_subscriptions_and_another_user_as_many(small: Gateway) -> None:
    """What is closed is free again; streams over HTTP count too."""
    account, other = await small.new_user(), await small.new_user()
    async with AsyncExitStack() as stack:
        stream = await stack.enter_async_context(over_sse(account, LISTEN))
        await account.create("local")
        await stream.answer()
        first, second, neighbour = [await stack.enter_async_context(greeted(who)) for who in (account, account, other)]
        third = await stack.enter_async_context(opened(account))
        await third.say("connection_init", payload={"token": account.token})
        assert await third.closed() == (1013, "Too many connections")

        heard = [await listening(*one) for one in ((first, "a"), (second, "b"), (first, "c"), (neighbour, "a"))]

        assert heard == ["open", "open", "COST_LIMIT_EXCEEDED", "open"]

    for _ in range(40):  # until the gateway has noticed that the sockets are closed
        async with opened(account) as talk:
            await talk.say("connection_init", payload={"token": account.token})
            with suppress(ConnectionClosed):
                await talk.hear()
                assert await listening(talk, "a") == "open"
                return
        await asyncio.sleep(0.1)
    pytest.fail("the sockets are not free again")


async def test_a_start_over_the_limit_is_closed_so_that_clients_try_again(small: Gateway) -> None:
    """1013, with one line in the log; graphql-ws gives up for good on 4429."""
    account = await small.new_user()
    async with account.client() as client:
        for _ in range(61):
            await client.get("/api/backup-destinations")

    async with opened(account) as talk:
        await talk.say("connection_init", payload={"token": account.token})

        assert await talk.closed() == (1013, "Too Many Attempts.")
    log = small.log_text()
    assert log.count("A WebSocket was closed at connection_init: TooManyAttempts") == 1
    assert "Traceback" not in log


async def test_a_start_while_the_database_is_away_is_closed_so_that_clients_try_again() -> None:
    with own_postgres() as server:
        server.create_database("away")
        gateway = Gateway(server.url("away")).start()
        try:
            account = await gateway.new_user()
            server.stop()
            async with opened(account) as talk:
                await talk.say("connection_init", payload={"token": account.token})

                code, reason = await talk.closed()
            log = gateway.log_text()
        finally:
            gateway.close()

    assert (code, reason) == (1013, "The database is not available just now; try again in a moment.")
    assert log.count("A WebSocket was closed at connection_init: DatabaseUnavailable") == 1
    assert "Traceback" not in log
