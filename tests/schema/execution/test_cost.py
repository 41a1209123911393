"""What an operation costs is worked out once for each combination of sizes, and comes out as if it were each time."""

from __future__ import annotations

from functools import cache
from itertools import permutations
from random import Random
from typing import Any

import pytest
from graphql import parse

from schema.documents.document_limits import LimitExceeded
from schema.execution.cost import MAX_KNOWN, OperationCost, cost_of
from schema.execution.engine import Engine
from schema.execution.prepared import Prepared
from schema.limits import Limits
from tests.support.fuzz.random_operations import OperationWriter
from tests.support.fuzz.random_values import DESCENDING, ORDERS, UNORDERED, Facts, Values

LIST = "query ($n: Int = 3) { backupDestinations(first: $n) { edges { cursor node { id } } } }"
"""One, and four for each row of the page."""
_IDS = ("one of the viewer's", "somebody else's", "nothing's", "the user's", "an event's", "nobody's, malformed")
FACTS = Facts(
    ids={what: ["x"] for what in _IDS},
    cursors={order: ["y"] for order in (UNORDERED, *ORDERS, *DESCENDING, "event", "wrong")},
)
MISSING: dict[str, Any] = {}


@cache
def engine() -> Engine:
    """One for all: a schema takes its time."""
    return Engine(Limits(aliases=100))


def prepared(text: str, name: str | None = None) -> Prepared:
    """A valid document."""
    return engine().prepare(text, name)


def charged(cost: OperationCost, variables: dict[str, Any]) -> int:
    """The cost, which a limit of just that allows and a limit of one less refuses."""
    found = cost.of(variables)
    cost.require(found, variables)
    with pytest.raises(LimitExceeded):
        cost.require(found - 1, variables)
    return found


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        (MISSING, 1 + 4 * 3),
        ({"n": None}, 1 + 4 * 15),
        ({"n": 1}, 1 + 4),
        ({"n": True}, 1 + 4),
        ({"n": 1.0}, 1 + 4),
        ({"n": 7}, 1 + 4 * 7),
        ({"n": 0}, 1),
        ({"n": -7}, 1),
        ({"n": 101}, 1 + 4 * 100),
        ({"n": 10**400}, 1 + 4 * 100),
        ({"n": 1e300}, 1 + 4 * 100),
        ({"n": [1]}, 1 + 4 * 15),
        ({"n": {}}, 1 + 4 * 15),
        ({"n": "x"}, 1 + 4 * 15),
        ({"m": 7}, 1 + 4 * 3),
    ],
)
def test_a_page_costs_what_its_size_says(variables: dict[str, Any], wanted: int) -> None:
    """Left out is the default, null is the size of a page that nobody chose; what is no size is refused elsewhere."""
    cost = prepared(LIST).cost

    for _ in range(3):
        assert charged(cost, variables) == wanted


def test_one_size_is_never_taken_for_another_that_is_equal_in_python() -> None:
    """In whatever order they come: 1, True and 1.0 are one key of a dict, and null is not what is missing."""
    document = parse("query ($n: Int = 3) { events(last: $n) { edges { cursor } } }")
    sizes: list[dict[str, Any]] = [{"n": 1}, {"n": True}, {"n": 1.0}, {"n": None}, {}]

    for order in permutations(sizes):
        cost = OperationCost(engine()._schema, document, document.definitions[0])  # type: ignore[arg-type] # it is the operation
        assert [charged(cost, size) for size in (*order, *order)] == [
            cost_of(engine()._schema, document, document.definitions[0], size)  # type: ignore[arg-type] # as above
            for size in (*order, *order)
        ]


def test_what_is_remembered_is_what_would_be_worked_out() -> None:
    """For random operations with all sorts of variables, fitting or not, each asked for twice."""
    random = Random(5)  # noqa: S311 - to be repeated
    costs = set()
    for _ in range(100):
        operation = OperationWriter(random, engine()._schema, FACTS).operation()
        ready = prepared(operation.text, operation.name)
        values = Values(random=random, facts=FACTS, is_troubled=True)
        for variables in [values.given(operation.variables) for _ in range(10)] * 2:
            wanted = cost_of(engine()._schema, ready.document, ready.operation, variables)
            assert charged(ready.cost, variables) == wanted
            costs.add(wanted)
    assert len(costs) > 20


def test_several_operations_of_one_document_are_charged_apart() -> None:
    """Each its own, though they share a document and a variable's name."""
    fragment = "fragment F on Query { events(last: $n) { edges { cursor } } }"
    text = f"query A($n: Int = 2) {{ ...F }} query B($n: Int = 9) {{ ...F }} {fragment}"

    assert [charged(prepared(text, name).cost, {}) for name in "AB"] == [1 + 2 * 2, 1 + 2 * 9]
    assert [charged(prepared(text, name).cost, {"n": 4}) for name in "AB"] == [1 + 2 * 4] * 2


def test_ids_in_a_variable_are_counted() -> None:
    """Each time anew: a list is nothing to remember by."""
    cost = prepared("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }").cost

    assert [charged(cost, {"ids": ["x"] * count}) for count in (0, 1, 5, 1, 100, 1_000)] == [1, 2, 6, 2, 101, 101]
    assert charged(cost, {"ids": "x"}) == 2


def test_only_so_many_combinations_are_remembered() -> None:
    """A client can think of any number of them."""
    cost = prepared(LIST).cost

    for size in range(-3 * MAX_KNOWN, 3 * MAX_KNOWN):
        assert cost.of({"n": size}) == 1 + 4 * min(max(size, 0), 100)
        assert len(cost._known) <= MAX_KNOWN


def test_what_costs_too_much_is_refused_with_both_figures() -> None:
    """So that a client knows how much smaller a page has to be."""
    cost = prepared(LIST).cost

    cost.require(401, {"n": 100})
    with pytest.raises(LimitExceeded, match=r"costs 401, and 400 is allowed"):
        cost.require(400, {"n": 100})
