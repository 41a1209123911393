"""GraphQL over HTTP: which form an answer takes, its status, and what is told when something goes wrong."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import PATH, http_client

JSON, GRAPHQL, EVENTS = "application/json", "application/graphql-response+json", "text/event-stream"
VIEWER = "{ viewer { name } }"
CREATE = 'mutation { createBackupDestination(input: {local: {label: "Attic"}}) { __typename } }'


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    """Somebody who may do everything."""
    return await gateway.new_user()


async def answer_to(account: Account, body: Any, *, token: str | None = None, **headers: str) -> httpx.Response:
    """The answer to a POST of this JSON."""
    async with http_client(account, token) as client:
        return await client.post(PATH, json=body, headers={name.replace("_", "-"): v for name, v in headers.items()})


def codes_of(answer: httpx.Response) -> list[str]:
    """`extensions.code` of every top-level error, which each must have."""
    return [error["extensions"]["code"] for error in answer.json().get("errors", [])]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (GRAPHQL.upper(), GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{JSON};q=0.5, {GRAPHQL};q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0.1, {JSON};q=0.2", JSON),
        (f"{GRAPHQL};q=0, */*", JSON),
        (f"text/html, {GRAPHQL};q=0.9, */*;q=0.1", GRAPHQL),
        (f"{GRAPHQL}, {JSON}, {EVENTS}", GRAPHQL),
        (f"{JSON}, {EVENTS}", JSON),
        (f"{JSON}, multipart/mixed, {EVENTS}", JSON),
        (f"*/*, {EVENTS}", JSON),
        (f"{JSON};q=0.5, {EVENTS};q=0.4", JSON),
        (EVENTS, EVENTS),
        (f"{EVENTS}, {JSON}", EVENTS),
        (f"{JSON};q=0.5, {EVENTS}", EVENTS),
    ],
)
async def test_the_answer_takes_the_form_the_client_likes_best(
    accept: str | None, expected: str, account: Account
) -> None:
    """By quality, then by order; a stream only for those who prefer it, and some list it last on every request."""
    async with http_client(account) as client:
        if accept is None:
            del client.headers["accept"]
        answer = await client.post(PATH, json={"query": VIEWER}, headers={} if accept is None else {"accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{expected}; charset=utf-8"
    assert '"name":"Test"' in answer.text


@pytest.mark.parametrize("accept", ["text/html", f"{JSON};q=0", "image/*", f"{JSON}; charset=latin-1"])
async def test_a_client_that_takes_no_form_of_ours_is_told_which_there_are(accept: str, account: Account) -> None:
    """406, in JSON all the same: there is nothing better to say it in."""
    answer = await answer_to(account, {"query": VIEWER}, accept=accept)

    assert (answer.status_code, codes_of(answer)) == (406, ["BAD_REQUEST"])
    assert answer.headers["content-type"] == f"{JSON}; charset=utf-8"
    assert all(form in answer.json()["errors"][0]["message"] for form in (JSON, GRAPHQL, EVENTS))


BODIES: dict[str, tuple[dict[str, Any], int, int, str | None]] = {
    "fine": ({"query": VIEWER}, 200, 200, None),
    "fine, with null for what is left out": (
        {"query": VIEWER, "variables": None, "operationName": None, "extensions": None}, 200, 200, None
    ),
    "a mutation": ({"query": CREATE}, 200, 200, None),
    "a document that cannot be read": ({"query": "{ viewer"}, 400, 200, "GRAPHQL_PARSE_FAILED"),
    "a document that is not valid": ({"query": "{ secrets }"}, 400, 200, "GRAPHQL_VALIDATION_FAILED"),
    "several operations without a name": ({"query": f"query A {VIEWER} query B {VIEWER}"}, 400, 200,
                                          "GRAPHQL_VALIDATION_FAILED"),
    "an operation that is not there": ({"query": f"query A {VIEWER}", "operationName": "B"}, 400, 200,
                                       "GRAPHQL_VALIDATION_FAILED"),
    "a document beyond a limit": ({"query": "{ viewer { " + "a: id " * 31 + "} }"}, 400, 200, "COST_LIMIT_EXCEEDED"),
    "a variable that does not fit": (
        {"query": "query($n: Int) { events(first: $n) { __typename } }", "variables": {"n": "x"}}, 400, 200,
        "BAD_USER_INPUT",
    ),
    "a field that refuses": ({"query": '{ viewer { name } node(id: "x") { id } }'}, 200, 200, "BAD_USER_INPUT"),
    "a subscription": ({"query": "subscription { backupDestinationEvents { id } }"}, 400, 200, "BAD_REQUEST"),
    "no query": ({}, 400, 400, "BAD_REQUEST"),
}  # fmt: skip


@pytest.mark.parametrize("told", BODIES)
async def test_the_status_follows_the_form_of_the_answer(told: str, account: Account) -> None:
    """400 without data for what did not begin, in the form made for GraphQL; under plain JSON 200 all the same."""
    body, status, json_status, code = BODIES[told]

    for accept, expected in ((GRAPHQL, status), (JSON, json_status)):
        answer = await answer_to(account, body, accept=accept)

        assert answer.status_code == expected, answer.text
        assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
        assert answer.headers["vary"] == "Accept, Accept-Encoding"
        assert answer.headers["cache-control"] == "no-store"
        assert codes_of(answer) == ([] if code is None else [code])
        assert ("data" in answer.json()) is (status == 200)


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
@pytest.mark.parametrize("token", ["nobody", f"1|mrg_{'a' * 46}"])
async def test_a_token_of_nobody_is_told_so(accept: str, token: str, account: Account) -> None:
    """401 in every form, with the scheme to use."""
    async with httpx.AsyncClient(timeout=60, base_url=account.gateway.url) as client:
        answer = await client.post(
            PATH, json={"query": VIEWER}, headers={"accept": accept, "authorization": f"Bearer {token}"}
        )

    assert (answer.status_code, codes_of(answer)) == (401, ["UNAUTHENTICATED"])
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
    assert "data" not in answer.json()


async def test_without_a_token_only_the_schema_is_shown(account: Account) -> None:
    """Introspection is for everybody; one field beside it is not."""
    async with httpx.AsyncClient(timeout=60, base_url=account.gateway.url) as client:
        schema = await client.post(PATH, json={"query": "{ __schema { queryType { name } } __typename }"})
        mixed = await client.post(PATH, json={"query": "{ __schema { queryType { name } } viewer { id } }"})
        hidden = await client.post(PATH, json={"query": "{ __typename ... { viewer { id } } }"})

    assert schema.json() == {"data": {"__schema": {"queryType": {"name": "Query"}}, "__typename": "Query"}}
    assert [(answer.status_code, codes_of(answer)) for answer in (mixed, hidden)] == [(401, ["UNAUTHENTICATED"])] * 2


async def test_a_missing_ability_is_an_error_of_the_field(gateway: Gateway) -> None:
    """The operation began: 200, with what the token does allow beside it."""
    account = await gateway.new_user(abilities=["create-backup-destinations"])

    answer = await answer_to(
        account, {"query": '{ viewer { name } backupDestination(id: "BackupDestination:1") { id } }'}
    )

    assert (answer.status_code, codes_of(answer)) == (200, ["FORBIDDEN"])
    assert answer.json()["data"] == {"viewer": {"name": "Test"}, "backupDestination": None}
    assert answer.json()["errors"][0]["path"] == ["backupDestination"]


async def test_a_query_may_come_in_a_link_and_a_mutation_may_not(account: Account) -> None:
    """405 says how else; nothing is created."""
    async with http_client(account) as client:
        query = await client.get(PATH, params={"query": VIEWER, "variables": "{}", "operationName": ""})
        refusals = [
            await client.get(PATH, params={"query": CREATE}),
            await client.get(PATH, params={"query": f"query A {VIEWER} {CREATE.replace('mutation', 'mutation B')}",
                                           "operationName": "B"}),
        ]  # fmt: skip
        count = await client.post(PATH, json={"query": "{ backupDestinations { totalCount } }"})

    assert query.json() == {"data": {"viewer": {"name": "Test"}}}
    assert [(answer.status_code, answer.headers["allow"]) for answer in refusals] == [(405, "POST")] * 2
    assert [codes_of(answer) for answer in refusals] == [["BAD_REQUEST"]] * 2
    assert count.json() == {"data": {"backupDestinations": {"totalCount": 0}}}


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON", 200),
        ("application/json;charset=utf-8", 200),
        ('application/json ; Charset="UTF-8"', 200),
        ("application/json; charset=utf-16", 415),
        ("application/jsonx", 415),
        ("application/json+x", 415),
        ("text/plain", 415),
        ("text/plain; application/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ],
)
async def test_the_content_type_is_matched_exactly_whatever_its_case(
    content_type: str, status: int, account: Account
) -> None:
    """A form of another site can send the refused ones without asking, and none of the others."""
    async with http_client(account) as client:
        answer = await client.post(
            PATH, content=b'{"query": "{ viewer { name } }"}', headers={"content-type": content_type}
        )

    assert answer.status_code == status
    assert codes_of(answer) == ([] if status == 200 else ["BAD_REQUEST"])
    assert answer.headers["content-type"] == f"{JSON}; charset=utf-8"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_another_method_is_told_which_there_are(method: str, account: Account) -> None:
    """405 with `Allow`."""
    async with http_client(account) as client:
        answer = await client.request(method, PATH, json={"query": VIEWER})

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert codes_of(answer) == ["BAD_REQUEST"]
