"""GraphQL's rows of the ability matrix: every field of every root that shows or changes a destination or an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from models.accounts.abilities import Ability
from tests.support.api.operations import NOT_GRANTABLE, REFUSED, Ask, Operation
from tests.support.graphql.graphql_client import Answer, listen_on_socket, listen_on_sse, post
from tests.support.graphql.graphql_documents import (
    CHECK,
    CREATE,
    DELETE,
    EVENTS,
    GRANT,
    LIST,
    LISTEN,
    ONE,
    TEST,
    UPDATE,
    destination_id,
    draft,
)

NOTHING = "There is nothing here."
"""Stands for the null that a query answers for a row that is foreign or missing, which is no refusal."""
NOT_CHECKABLE = "A local destination has no store to check"
HIDDEN = {"foreign": NOTHING, "missing": NOTHING}

NO_JOB = "CheckJob:987654321"
COUNT = "{ backupDestinations(first: 0) { totalCount } }"
NODE = "query ($id: ID!) { node(id: $id) { __typename } }"
NODES = "query ($id: ID!) { nodes(ids: [$id]) { __typename } }"
CHECK_MANY = """mutation { checkBackupDestinations(filter: {kinds: []}) {
  __typename ... on Problem { message } } }"""
JOB = "query ($id: ID!) { checkJob(id: $id) { checked } }"
PROGRESS = "subscription ($id: ID!) { checkJobProgress(id: $id) { checked } }"
DOCUMENTS = (
    *(LIST, COUNT, EVENTS, ONE, NODE, NODES, CREATE, UPDATE, DELETE, CHECK, CHECK_MANY, GRANT, TEST),
    *(JOB, LISTEN, PROGRESS),
)

Variables = Callable[[int], Mapping[str, Any]]


def refusal_in(answer: Answer) -> str | None:
    """The sentence of a refusal, `NOTHING`, or None for a success."""
    if "errors" in answer:
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN", answer
        message: str = error["message"]
        return message
    (result,) = answer["data"].values()
    if result in (None, [None]):
        return NOTHING
    problem: str | None = result.get("message") if isinstance(result, dict) else None
    return problem


def _asks(query: str, variables: Variables) -> Ask:
    async def ask(client: httpx.AsyncClient, id_: int) -> str | None:
        return refusal_in(await post(client, query, variables(id_)))

    return ask


OLDEST = "{ events(last: 1) { edges { node { id } } } }"


def _listens(listen: Any) -> Ask:
    async def ask(client: httpx.AsyncClient, _id: int) -> str | None:
        # The row was made just now, so there is an event after the oldest; without the ability, none is needed.
        oldest = (await post(client, OLDEST, {})).get("data")
        after = oldest["events"]["edges"][0]["node"]["id"] if oldest else "BackupDestinationEvent:1"
        async with listen(client, LISTEN, {"after": after}) as listener:
            return refusal_in(await listener.answer())

    return ask


def _none(_id: int) -> Mapping[str, Any]:
    return {}


def _own_id(id_: int) -> Mapping[str, Any]:
    return {"id": destination_id(id_)}


def _first_event(_id: int) -> Mapping[str, Any]:
    """Of the whole database, so never the viewer's who was made just now."""
    return {"id": "BackupDestinationEvent:1"}


def _malformed_id(_id: int) -> Mapping[str, Any]:
    return {"id": "x", "input": {}}


def _read(name: str, query: str, variables: Variables = _none, broken: Mapping[str, Any] | None = None) -> Operation:
    return Operation(
        name=f"GraphQL {name}",
        ability=Ability.VIEW,
        ask=_asks(query, variables),
        of_others=HIDDEN if variables is _own_id else {"own": NOTHING} if variables is _first_event else {},
        broken=None if broken is None else _asks(query, lambda _id: broken),
    )


GRAPHQL = (
    _read("list", LIST, broken={"first": 101}),
    _read("count", COUNT),
    _read("events", EVENTS, broken={"after": "x"}),
    _read("destination", ONE, _own_id, broken={"id": "x"}),
    _read("node", NODE, _own_id),
    _read("nodes", NODES, _own_id),
    _read("node of an event", NODE, _first_event),
    Operation(
        name="GraphQL job of checks",
        ability=Ability.VIEW,
        ask=_asks(JOB, lambda _id: {"id": NO_JOB}),
        of_others={"own": NOTHING},
        broken=_asks(JOB, lambda _id: {"id": "x"}),
    ),
    Operation(
        name="GraphQL create",
        ability=Ability.CREATE,
        ask=_asks(CREATE, lambda _id: {"input": draft("local")}),
        broken=_asks(CREATE, lambda _id: {"input": draft("local", label="")}),
    ),
    Operation(
        name="GraphQL update",
        ability=Ability.UPDATE,
        ask=_asks(UPDATE, lambda id_: {**_own_id(id_), "input": {"label": "Renamed"}}),
        of_others=REFUSED,
        broken=_asks(UPDATE, _malformed_id),
    ),
    Operation(
        name="GraphQL delete",
        ability=Ability.DELETE,
        ask=_asks(DELETE, _own_id),
        of_others=REFUSED,
        broken=_asks(DELETE, lambda _id: {"id": "x"}),
    ),
    Operation(
        name="GraphQL check",
        ability=Ability.UPDATE,
        ask=_asks(CHECK, _own_id),
        of_others={"own": NOT_CHECKABLE, **REFUSED},
        broken=_asks(CHECK, lambda _id: {"id": "x"}),
    ),
    Operation(name="GraphQL check of many", ability=Ability.UPDATE, ask=_asks(CHECK_MANY, _none)),
    Operation(
        name="GraphQL grant",
        ability=Ability.USE,
        ask=_asks(GRANT, lambda id_: {**_own_id(id_), "input": {"operations": ["GET"], "key": "a"}}),
        of_others={"own": NOT_GRANTABLE, **REFUSED},
        broken=_asks(GRANT, lambda _id: {"id": "x", "input": {"operations": []}}),
    ),
    Operation(
        name="GraphQL test",
        ability=Ability.UPDATE,
        ask=_asks(TEST, lambda _id: {"input": draft("local")}),
        of_others={"own": NOT_CHECKABLE},
        broken=_asks(TEST, lambda _id: {"input": draft("local", label="")}),
    ),
    Operation(name="GraphQL subscription over SSE", ability=Ability.VIEW, ask=_listens(listen_on_sse)),
    Operation(name="GraphQL subscription over WebSocket", ability=Ability.VIEW, ask=_listens(listen_on_socket)),
)
