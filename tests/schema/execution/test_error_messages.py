"""What an error says: the field that is wrong and never its value, and of our own mistakes nothing but a number."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from schema.execution.coercion import variable_errors
from schema.execution.engine import Engine
from schema.limits import Limits
from tests.support.databases.databases import TIMESTAMP, insert
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import Answer, ask

SECRET = "do-not-tell-me-8f2c"
NEXT_ID = "(SELECT max(id) + 1 FROM events)"
LIST = "{ backupDestinations(%s) { totalCount } }"
CREATE = "mutation { createBackupDestination(input: %s) { __typename } }"
BY_VARIABLE = (
    "mutation($input: CreateBackupDestinationInput!) { createBackupDestination(input: $input) { __typename } }"
)
KEYS = {"accessKey": SECRET, "secretKey": SECRET}
AMAZON = {"label": "a", "bucketName": "b", "region": "c"}

LITERALS = [
    (LIST % f'first: "{SECRET}"', "Argument 'first' has a value that does not fit the type 'Int'."),
    (LIST % f"first: {'9' * 5_000}", "Argument 'first' has a value that does not fit the type 'Int'."),
    (
        LIST % "filter: {kinds: [LOCAL, MOON]}",
        "Argument 'filter' at 'kinds.1' has a value that does not fit the type 'DestinationKind!'.",
    ),
    (LIST % "filter: {sort: 1}", "Argument 'filter' has an unknown field 'sort'."),
    (LIST % "orderBy: {direction: ASC}", "Argument 'orderBy' lacks the required field 'field'."),
    ("{ node(id: 1.5) { id } }", "Argument 'id' has a value that does not fit the type 'ID!'."),
    ("{ nodes(ids: null) { id } }", "Argument 'ids' has a value that does not fit the type '[ID!]!'."),
    (CREATE % "{}", "Argument 'input' must have exactly one field, and that not null."),
    (CREATE % "{local: null}", "Argument 'input' at 'local' must have exactly one field, and that not null."),
    (
        CREATE % f'{{amazonS3: {{label: "a", bucketName: "b", region: "c", credentials: {{accessKey: "{SECRET}"}}}}}}',
        "Argument 'input' at 'amazonS3.credentials' lacks the required field 'secretKey'.",
    ),
    (
        CREATE % f'{{amazonS3: {{label: "a", bucketName: "b", region: "c", credentials: "{SECRET}"}}}}',
        "Argument 'input' at 'amazonS3.credentials' has a value that does not fit the type 'S3CredentialsInput!'.",
    ),
    (CREATE % f'{{local: {{label: ["{SECRET}"]}}}}',
     "Argument 'input' at 'local.label' has a value that does not fit the type 'String!'."),
    ("{ viewer { id @skip(if: 1) } }", "Argument 'if' has a value that does not fit the type 'Boolean!'."),
    (
        f'query($n: Int = "{SECRET}") {{ events(first: $n) {{ __typename }} }}',
        "The default of variable '$n' has a value that does not fit the type 'Int'.",
    ),
]  # fmt: skip
VARIABLES: list[tuple[Any, list[str]]] = [
    (None, ["Variable '$input' has a value that does not fit the type 'CreateBackupDestinationInput!'."]),
    (SECRET, ["Variable '$input' has a value that does not fit the type 'CreateBackupDestinationInput!'."]),
    ({}, ["Variable '$input' must have exactly one field, and that not null."]),
    ({"amazonS3": AMAZON}, ["Variable '$input' at 'amazonS3' lacks the required field 'credentials'."]),
    (
        {"amazonS3": {**AMAZON, "credentials": {**KEYS, "secretKey": [SECRET]}}},
        ["Variable '$input' at 'amazonS3.credentials.secretKey' has a value that does not fit the type 'String!'."],
    ),
    (
        {"amazonS3": {**AMAZON, "credentials": KEYS, "acl": SECRET}},
        ["Variable '$input' at 'amazonS3' has an unknown field 'acl'."],
    ),
    (
        {"local": {"label": {f"type '{SECRET}', found": 1}}},
        ["Variable '$input' at 'local.label' has a value that does not fit the type 'String!'."],
    ),
    (
        {"amazonS3": {"label": 1, "bucketName": None}},
        [
            "Variable '$input' at 'amazonS3.label' has a value that does not fit the type 'String!'.",
            "Variable '$input' at 'amazonS3.bucketName' has a value that does not fit the type 'String!'.",
            "Variable '$input' at 'amazonS3' lacks the required field 'region'.",
            "Variable '$input' at 'amazonS3' lacks the required field 'credentials'.",
        ],
    ),
]


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    """Somebody who may do everything."""
    return await gateway.new_user()


def messages(answer: dict[str, Any], code: str) -> list[str]:
    """What the errors of an answer say, all of them of that code, and none with the secret."""
    assert {error["extensions"]["code"] for error in answer["errors"]} == {code}
    assert SECRET not in repr(answer)
    return [error["message"] for error in answer["errors"]]


@pytest.mark.parametrize(("query", "message"), LITERALS)
async def test_a_literal_that_does_not_fit_is_told_with_its_place(query: str, message: str, account: Account) -> None:
    """The argument, the way into it, the type - and where it stands in the document."""
    answer = await ask(account, query)

    assert messages(answer, "GRAPHQL_VALIDATION_FAILED") == [message]
    assert set(answer["errors"][0]["locations"][0]) == {"line", "column"}
    assert SECRET not in account.gateway.log_text()


@pytest.mark.parametrize(("value", "told"), VARIABLES)
async def test_a_variable_that_does_not_fit_is_told_with_its_place(
    value: Any, told: list[str], account: Account
) -> None:
    """Everything that is wrong at once, in the words used of literals."""
    answer = await ask(account, BY_VARIABLE, {"input": value})

    assert messages(answer, "BAD_USER_INPUT") == told
    assert SECRET not in account.gateway.log_text()


async def test_no_more_than_ten_things_are_told_at_once(account: Account) -> None:
    """Whether they are of the document or of its variables."""
    of_document = await ask(account, "{ viewer { " + " ".join(f"x{number}" for number in range(50)) + " } }")
    of_variables = await ask(account, "query($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": [[]] * 50})

    assert len(messages(of_document, "GRAPHQL_VALIDATION_FAILED")) == 10
    assert len(messages(of_variables, "BAD_USER_INPUT")) == 10


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ viewer { id }", "Syntax Error: Expected Name, found <EOF>."),
        ("qurey { viewer { id } }", "Syntax Error: Unexpected Name 'qurey'."),
        (f'{{ viewer {{ id "{SECRET}" }} }}', "Syntax Error: Expected Name, found String."),
        (f'{{ viewer {{ id """{SECRET}""" }} }}', "Syntax Error: Expected Name, found BlockString."),
        (f"{{ viewer {{ id }} }} {'A' * 40}", "Syntax Error: Unexpected Name."),
        ("{ node(id: 1 123456789) { id } }", "Syntax Error: Expected Name, found Int."),
    ],
)
async def test_a_syntax_error_shows_only_what_is_no_value(query: str, message: str, account: Account) -> None:
    """A short name is a slip of the pen; a string, a number or a long name may be a secret that lost its quotes."""
    assert messages(await ask(account, query), "GRAPHQL_PARSE_FAILED") == [message]


async def test_names_are_not_repeated_at_length(account: Account) -> None:
    """An error is a sentence, however long the name in it."""
    for query in (
        "{ " + "a" * 60_000 + " }",
        "query($" + "a" * 60_000 + ": ID!) { node(id: $" + "a" * 3_000 + ") { id } }",
    ):
        answer = await ask(account, query)

        assert all(len(error["message"]) <= 300 for error in answer["errors"])


async def test_a_mistake_of_ours_is_told_as_a_number_that_the_log_has_too(fresh_database_url: str | None) -> None:
    """No statement, no stack and no value, in the answer or the log; the rest of the operation is answered."""
    gateway = Gateway(fresh_database_url, log_level="DEBUG").start()
    try:
        account = await gateway.new_user()
        await gateway.rows("ALTER TABLE backup_destinations RENAME TO elsewhere")

        shown = "{ totalCount } __typename"
        query = f"query($label: String) {{ backupDestinations(filter: {{labelContains: $label}}) {shown} }}"
        async with account.client() as client:
            response = await client.post("/graphql", json={"query": query, "variables": {"label": SECRET}})

        log = gateway.log_text()
    finally:
        gateway.close()
    answer = response.json()
    (message,) = messages(answer, "INTERNAL_SERVER_ERROR")
    found = re.fullmatch(r"Something went wrong on our side; the request id is ([0-9a-f]{16})\.", message)
    assert found is not None, message
    assert found[1] == response.headers["X-Request-Id"]
    assert log.count(f"request {found[1]} failed") == 1
    assert SECRET not in log
    for text in (repr(answer), log):
        assert "SELECT" not in text
        assert "Traceback" not in text
    assert answer["data"] is None


async def test_each_of_two_streams_is_told_the_number_of_its_own_request(fresh_database_url: str | None) -> None:
    """They share the responses to events; an unexpected error in one is reported for each stream under its id."""
    gateway = Gateway(fresh_database_url).start()
    query = (
        "subscription { backupDestinationEvents { id ... on BackupDestinationUpdated { backupDestination { id } } } }"
    )
    try:
        account = await gateway.new_user()
        id_ = await account.create("local")
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(account.client(accept="text/event-stream"))
            opened = [client.stream("POST", "/graphql", json={"query": query}) for _ in range(2)]
            streams = [await stack.enter_async_context(stream) for stream in opened]
            lines = [stream.aiter_lines() for stream in streams]
            # Both are open once an event has come on both.
            await client.put(f"/api/backup-destinations/{id_}", json={"label": "a"}, headers={"accept": "*/*"})
            for line in lines:
                assert "errors" not in await _next_answer(line)
            await gateway.rows("ALTER TABLE backup_destinations RENAME TO elsewhere")
            event = {"kind": "'updated'", "label": "'b'", "protocol": "'rest'", "occurred_at": TIMESTAMP}
            references = {"user_id": str(account.user_id), "destination_id": str(id_), "id": NEXT_ID}
            await gateway.rows(insert("events", event | references))
            answers = [await _next_answer(line) for line in lines]

        log = gateway.log_text()
    finally:
        gateway.close()
    for stream, answer in zip(streams, answers, strict=True):
        (message,) = messages(answer, "INTERNAL_SERVER_ERROR")
        request_id = stream.headers["X-Request-Id"]
        assert message == f"Something went wrong on our side; the request id is {request_id}."
        assert log.count(f"request {request_id} failed") == 1


async def _next_answer(lines: AsyncIterator[str]) -> Answer:
    """The next answer of a stream of server-sent events."""
    async for line in lines:
        if line.startswith("data: {"):
            answer: Answer = json.loads(line.removeprefix("data: "))
            return answer
    raise AssertionError("the stream has ended")


@pytest.mark.parametrize(
    "value",
    [
        {"amazonS3": None, "local": {"label": "a"}},
        {"amazonS3": None, "customS3": None, "local": None},
        {"local": None},
        {},
        {"local": {"label": "a"}, "amazonS3": {"label": "a"}},
    ],
)
def test_a_one_of_input_with_nulls_or_several_fields_gets_one_error(value: dict[str, Any]) -> None:
    """Clients that set the other kinds to null are told so once."""
    engine = Engine(Limits())
    text = "mutation ($i: CreateBackupDestinationInput!) { createBackupDestination(input: $i) { __typename } }"

    found = variable_errors(engine._schema, engine.prepare(text, None).operation, {"i": value}, at_most=10)

    assert ["must have exactly one field, and that not null." in sentence for sentence in found].count(True) == 1


@pytest.mark.parametrize("variables", [{}, {"local": None}])
async def test_a_one_of_input_whose_one_variable_is_null_is_told_what_it_must_have(
    variables: dict[str, Any], account: Account
) -> None:
    """Validation allows a nullable variable there, so that this comes up in execution."""
    query = (
        "mutation ($local: LocalDestinationInput) { createBackupDestination(input: {local: $local}) { __typename } }"
    )

    answer = await ask(account, query, variables)

    assert messages(answer, "BAD_USER_INPUT") == ["Argument 'input' must have exactly one field, and that not null."]
