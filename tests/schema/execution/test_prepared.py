"""Which operations are compiled, and when."""

from __future__ import annotations

import logging

import pytest

from schema.compiler.compiler import CompiledOperation
from schema.execution.engine import Engine
from schema.execution.prepared import Prepared
from schema.limits import Limits
from schema.resolvers.definition import make_schema

SCHEMA = make_schema()
NEVER = "subscription { backupDestinationEvents { id } }"
ONCE = (
    "{ viewer { id } }",
    'mutation { deleteBackupDestination(id: "x") { __typename } }',
)
LEFT = (
    "{ __schema { queryType { name } } }",
    "{ viewer { id } events { edges { cursor } } }",
    "query ($x: Boolean!) { viewer { id id @include(if: $x) } }",
    "query ($x: Boolean!) { ...F @include(if: $x) ...F } fragment F on Query { viewer { id } }",
    'mutation { checkBackupDestination(id: "x") { __typename } }',
)


def prepared(text: str) -> Prepared:
    """A document that nobody has asked for."""
    return Engine(Limits()).prepare(text, None)


@pytest.mark.parametrize("text", ONCE)
def test_an_operation_is_compiled_when_it_comes_a_second_time(text: str) -> None:
    """Most that come once never come again. From then on it is the same one."""
    operation = prepared(text)

    assert operation.compiled(SCHEMA) is None
    second = operation.compiled(SCHEMA)
    assert isinstance(second, CompiledOperation)
    assert all(operation.compiled(SCHEMA) is second for _ in range(3))


def test_a_subscription_is_never_compiled() -> None:
    """It has no one answer that could be written."""
    operation = prepared(NEVER)

    assert [operation.compiled(SCHEMA) for _ in range(4)] == [None] * 4


@pytest.mark.parametrize("text", LEFT)
def test_what_cannot_be_compiled_is_left_to_graphql_core_for_good(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is tried once, and said why."""
    query = prepared(text)

    with caplog.at_level(logging.DEBUG, logger="moorings.graphql"):
        assert [query.compiled(SCHEMA) for _ in range(4)] == [None] * 4

    assert [message.partition(":")[0] for message in caplog.messages] == [
        f"A {query.type.value} is left to graphql-core"
    ]


def test_an_engine_compiles_each_operation_of_a_document_for_itself() -> None:
    """What was asked of one is not counted for the other."""
    engine, text = Engine(Limits()), "query A { viewer { id } } query B { viewer { name } }"

    assert engine.prepare(text, "A").compiled(SCHEMA) is None
    assert engine.prepare(text, "B").compiled(SCHEMA) is None
    first, second = (engine.prepare(text, name).compiled(SCHEMA) for name in "AB")
    assert first is not None
    assert second is not None
    assert first is not second
