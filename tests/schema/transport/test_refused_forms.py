"""What is not served is refused in a form that the clients which ask for it show."""

from __future__ import annotations

import pytest

from schema.execution.engine import Engine, NotExecuted
from schema.limits import Limits
from tests.schema.transport.test_http import GRAPHQL, answer_to, codes_of
from tests.support.gateway.gateway import Gateway

VIEWER = "{ viewer { name } }"
DATA = {"data": {"viewer": {"name": "Test"}}}
EVENTS = "subscription { backupDestinationEvents { id } }"
MULTIPART = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"
DEFERRED = "multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9"


async def test_each_operation_of_a_batch_is_refused(gateway: Gateway) -> None:
    """Apollo's batch link wants as many results as operations, and shows the errors in them."""
    account = await gateway.new_user()

    for accept, status in (("application/json", 200), (GRAPHQL, 400)):
        answer = await answer_to(account, [{"query": VIEWER}] * 3, accept=accept)
        results = answer.json()
        assert (answer.status_code, len(results)) == (status, 3)
        for result in results:
            (error,) = result["errors"]
            assert error["extensions"]["code"] == "BAD_REQUEST"
            assert "batches are not supported" in error["message"]
    for no_batch in ([], [{"query": VIEWER}], [{"query": VIEWER}] * 101, [1, 2]):
        answer = await answer_to(account, no_batch)
        assert (answer.status_code, codes_of(answer)) == (400, ["BAD_REQUEST"])


async def test_multipart_is_a_media_type_that_is_not_chosen(gateway: Gateway) -> None:
    """As Apollo Client asks for it; a subscription so asked for says what there is in its place."""
    account = await gateway.new_user()

    for accept in (MULTIPART, DEFERRED):
        assert (await answer_to(account, {"query": VIEWER}, accept=accept)).json() == DATA
    subscribed = await answer_to(account, {"query": EVENTS}, accept=MULTIPART)
    deferred = await answer_to(account, {"query": "{ ... @defer { viewer { name } } }"}, accept=DEFERRED)

    assert codes_of(subscribed) == ["BAD_REQUEST"]
    assert "text/event-stream" in subscribed.json()["errors"][0]["message"]
    assert codes_of(deferred) == ["GRAPHQL_VALIDATION_FAILED"]
    assert deferred.json()["errors"][0]["message"] == "Unknown directive '@defer'."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ viewer { nam } }", "Cannot query field 'nam' on type 'User'. Did you mean 'name'?"),
        ('{ node(idd: "User:1") { id } }', "Unknown argument 'idd' on field 'Query.node'. Did you mean 'id'?"),
        ('{ node(id: "User:1") { ... on Usr { name } } }', "Unknown type 'Usr'. Did you mean 'User'"),
    ],
)
def test_names_that_may_have_been_meant_are_told_with_the_schema(text: str, expected: str) -> None:
    """Only while introspection shows the schema, and for the first error of a document."""
    messages = {}
    for introspection in (True, False):
        with pytest.raises(NotExecuted) as refused:
            Engine(Limits(), introspection=introspection).prepare(text, None)
        messages[introspection] = " ".join(error["message"] for error in refused.value.answer["errors"])

    assert expected in messages[True]
    assert "Did you mean" not in messages[False]


def test_the_first_error_of_a_document_alone_suggests_names() -> None:
    """To find them takes longer than to validate the rest."""
    text = "{ viewer { " + " ".join(f"nam{n}" for n in range(9)) + " } }"

    with pytest.raises(NotExecuted) as refused:
        Engine(Limits()).prepare(text, None)

    messages = [error["message"] for error in refused.value.answer["errors"]]
    assert ["Did you mean" in message for message in messages] == [True] + [False] * 8
