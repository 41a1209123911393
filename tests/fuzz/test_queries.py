"""Compiled operations answer as graphql-core does, byte for byte: random queries, and those that are easy to get wrong.

The suite compares some thousand answers; `make fuzz` compares two hundred thousand.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from random import Random
from typing import Any

import pytest

from models.destinations.attributes import DestinationKind
from schema.resolvers.definition import make_schema
from tests.support.databases.odd_destinations import BREAKS, whole_row
from tests.support.fuzz.fuzz_stage import WATCHED, Stage, staged
from tests.support.fuzz.operation_fuzz import SHOWN, Fuzz
from tests.support.fuzz.random_arguments import ARGUMENTS
from tests.support.fuzz.random_operations import NOT_DRAWN, OF_ONE_REQUEST

CASES = 5_200
SEED = 23
TYPES = (
    *("Query", "User", "Node", "BackupDestination", "S3CompatibleDestination", "AmazonS3Destination"),
    *("CustomS3Destination", "LocalDestination", "BackupDestinationConnection", "BackupDestinationEdge", "PageInfo"),
)
"""What compiled operations write. Of events they only know that they are none."""
REPORT_TYPES = ("CheckReport", "CheckStep", "CheckSuggestion")
"""What is below one field of one of these."""
CONSTRUCTS = (
    *(
        f"@{name} with a {value} on {place}"
        for name in ("skip", "include")
        for value in ("literal", "variable")
        for place in ("a field", "an inline fragment", "a spread")
    ),
    *(
        "several roots",
        "several operations",
        "an alias",
        "a merged leaf",
        "merged selections",
        "a fragment spread twice",
    ),
    *("a fragment in a fragment", "an inline fragment without a type", "a default of a variable", "a missing variable"),
    *(
        "a null variable",
        "an ID: one of the viewer's",
        "an ID: somebody else's",
        "an ID: nothing's",
        "an ID: the user's",
    ),
    *(f"a cursor of {order}" for order in ("no order", "CREATED_AT", "UPDATED_AT", "LABEL")),
    *(f"{place} on {type_}" for place in ("a fragment", "an inline fragment") for type_ in TYPES),
)
SCALARS = ("id", "first", "last", "after", "before")
LEFT = ("Query.events", "Query.__schema", *(f"User.{name}" for name in OF_ONE_REQUEST))
"""What is only seen in queries that graphql-core runs."""
UNFIT = ("int for id", "float for size", "bool for size", "str for size", "NoneType for condition", "dict for cursor")
"""What was sent for a variable although it does not fit."""

CHECKED = """{ backupDestinations(first: 24) { edges { node { ... on S3CompatibleDestination {
  lastCheck { id checkedAt reachable failedStep code durationMs takesBackups unreachableSince
    steps { name outcome code remedy field storeCode durationMs } documentation suggestion { ...S } }
} } } } }
fragment S on CheckSuggestion { region endpoint pathStyleEndpoint }
"""
COMPILED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("query ($x: Boolean!) { viewer @include(if: $x) { id } }", {"x": True}),
    ("query ($x: Boolean!) { viewer @include(if: $x) { id } }", {"x": False}),
    ("query ($x: Boolean!) { viewer @include(if: $x) { id } user: viewer @skip(if: $x) { name } }", {"x": False}),
    ("query ($x: Boolean = true) { backupDestinations @skip(if: $x) { totalCount edges { cursor } } }", {}),
    ("query ($x: Boolean!) { backupDestinations { n: totalCount @include(if: $x) edges { cursor } } }", {"x": True}),
    ("query ($x: Boolean!) { viewer @skip(if: $x) @include(if: $x) { id } }", {"x": True}),
    ("{ viewer { id @skip(if: true) } backupDestinations(first: 0) { edges { cursor } } }", {}),
    ("{ ... on Query @include(if: false) { viewer { id } } __typename }", {}),
    ("{ a: viewer { id } a: viewer { name ...F ...F } } fragment F on Node { id ... on User { email } }", {}),
    ('{ node(id: "User:1") { ... on LocalDestination { label } ... on BackupDestinationDeleted { label } } }', {}),
    ("query ($first: Int = 2) { backupDestinations(first: $first, last: null) { edges { cursor } } }", {"first": None}),
    (CHECKED, {}),
    ("query ($n: Int) { backupDestinations(first: $n) { totalCount } }", {"n": 1.0}),
    ('query ($ids: [ID!]! = "User:1") { nodes(ids: $ids) { __typename } }', {}),
)
BAILED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("{ __schema { queryType { name } } viewer { id } }", {}),
    ('{ __type(name: "User") { name } }', {}),
    ("{ events { edges { cursor } } }", {}),
    ("query ($x: Boolean!) { viewer { id id @include(if: $x) } }", {"x": True}),
    ("query ($x: Boolean!) { viewer { ...F ...F @include(if: $x) } } fragment F on User { id }", {"x": True}),
    ("query ($x: Boolean!) { viewer { id ... @skip(if: $x) { id } } }", {"x": False}),
    ('{ node(id: "BackupDestinationEvent:1") { id } }', {}),
    ("query ($id: ID!) { node(id: $id) { id } }", {"id": 1}),
    ("query ($x: Boolean = true) { viewer { id @include(if: $x) } }", {"x": None}),
    ("query ($x: Boolean = true) { viewer { id name @include(if: false) @skip(if: $x) } }", {"x": None}),
    ("query ($x: Boolean = true) { viewer { id name @skip(if: true) @include(if: $x) } }", {"x": None}),
    ("query ($x: Boolean = true) { viewer { id ... @skip(if: $x) { name @skip(if: true) } } }", {"x": None}),
    ('query ($x: Boolean = true) { node(id: "User:1") { ... on LocalDestination @skip(if: $x) { id } } }', {"x": None}),
    ('query ($id: ID = "User:1") { viewer { id } node(id: $id) { id } }', {"id": None}),
    ("query ($ids: [ID!] = []) { viewer { id } nodes(ids: $ids) { id } }", {"ids": None}),
    ('{ viewer { id } backupDestination(id: "User:1") { id } nodes(ids: ["x"]) { id } }', {}),
)
"""A refused argument leaves no coroutine behind that nobody awaits, either: that is a warning, and here an error."""


@pytest.fixture
async def stage(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Stage]:
    """A database and the users of it; what breaks on purpose is logged to nobody."""
    caplog.set_level(logging.CRITICAL, logger="moorings")
    async with staged() as stage:
        yield stage


# graphql-core cancels what has not begun when a field beside it fails, and lets go of the coroutine.
@pytest.mark.filterwarnings("ignore:coroutine 'GraphQLCoreConverter:RuntimeWarning")
async def test_compiled_queries_answer_as_graphql_core_does(stage: Stage) -> None:
    """Byte for byte, refusals too, whoever asks and whatever the rows; and it is compiled code that answers."""
    tally = await Fuzz(stage, SEED).run(CASES)

    assert tally.cases >= CASES
    assert tally.untroubled >= 0.4 * tally.cases
    assert tally.untroubled_answered >= 0.99 * tally.untroubled
    assert 0 < tally.broken_answered < tally.broken
    assert tally.outlined > 0.1 * tally.cases
    given = {f"{field}({name}): {way}" for field, names in ARGUMENTS.items() for name in names for way in _ways(name)}
    fields = {f"{type_}.{name}" for type_ in (*TYPES, *REPORT_TYPES) for name in _fields(type_)}
    wanted = {*CONSTRUCTS, *SHOWN, *fields, *(each for each in given if not each.startswith("events"))}
    assert wanted - set(LEFT) - set(tally.compiled) == set()
    assert {*LEFT, *UNFIT} <= set(tally.seen)


async def test_what_is_easily_got_wrong_is_compiled_and_right(stage: Stage) -> None:
    """Conditions at the root, empty objects, merged fields, defaults and nulls."""
    fuzz = Fuzz(stage, SEED)

    for text, variables in COMPILED:
        assert await fuzz.is_compiled(text, variables), text


async def test_what_only_graphql_core_does_is_left_to_it(stage: Stage) -> None:
    """Before a query runs, or in the middle of it."""
    fuzz = Fuzz(stage, SEED)

    for text, variables in BAILED:
        assert not await fuzz.is_compiled(text, variables), text


async def test_a_row_that_cannot_be_is_told_as_graphql_core_tells_it(stage: Stage) -> None:
    """Each column null, words nobody knows: in each kind of row, with each field asked for, in a list and alone."""
    fuzz, answered = Fuzz(stage, SEED), Counter[bool]()
    asked = [f"... on {type_} {{ {name} }}" for type_ in TYPES[5:8] for name in _fields(type_) if name != "lastCheck"]
    asked += ["... on S3CompatibleDestination { lastCheck { reachable } }"]
    documents = [
        *(f"{{ backupDestinations {{ edges {{ node {{ {each} }} }} }} }}" for each in asked),
        *(f'{{ node(id: "BackupDestination:1") {{ {each} }} }}' for each in asked[::5]),
        "{ backupDestinations { totalCount pageInfo { endCursor } } }",
    ]
    whole = whole_row(Random(0), 1, stage.viewers[WATCHED].user_id).replaced(region="r", endpoint="e")  # noqa: S311
    for row in (whole.replaced(**({"stored_kind": kind} | broken)) for kind in DestinationKind for broken in BREAKS):
        stage.broken.handed_in = row
        for text in documents:
            answered[await fuzz.is_compiled(text, {}, broken_seed=0)] += 1

    assert min(answered[True], answered[False]) > 0.15 * answered.total()


async def test_the_operation_that_is_named_is_the_one_that_is_compiled(stage: Stage) -> None:
    """One document, two operations, each compiled for itself."""
    text = "query A { viewer { id } } query B { viewer { ...F } } fragment F on User { name }"
    fuzz = Fuzz(stage, SEED)

    for name in ("A", "B", "A"):
        assert await fuzz.is_compiled(text, {}, name)


def test_the_fuzz_writes_every_argument_there_is() -> None:
    """A new one has to be taught to it; a job has tests of its own."""
    query = make_schema()._schema.query_type
    assert query is not None

    given = {name: tuple(field.args) for name, field in query.fields.items() if field.args and name != "checkJob"}
    assert given == ARGUMENTS


def _ways(argument: str) -> tuple[str, ...]:
    """How an argument can be given."""
    inside = () if argument in SCALARS else ("a variable inside",)
    null = () if argument in ("id", "ids", "orderBy") else ("null",)
    return ("a literal", "a variable", *inside, *null)


def _fields(type_: str) -> list[str]:
    fields: Mapping[str, Any] = make_schema()._schema.type_map[type_].fields  # type: ignore[attr-defined] # it has them
    return [
        "__typename",
        *(name for name in fields if f"{type_}.{name}" not in LEFT and name not in (*NOT_DRAWN, "checkJob")),
    ]
