"""Variables of input types are coerced as graphql-core does, or left to it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from graphql import GraphQLNonNull, Undefined, build_schema
from graphql.utilities import coerce_input_value

from schema.compiler.plain_inputs import Unfit, coercer_of
from schema.resolvers.definition import make_schema
from tests.support.fuzz.random_mutations import MutationWriter
from tests.support.fuzz.random_values import Facts

SCHEMA = make_schema()._schema
INPUTS = ("CreateBackupDestinationInput", "UpdateBackupDestinationInput")
WRONG: tuple[Any, ...] = (None, 7, 2**31, 1.5, True, "x", [], {}, {"x": 1}, {"label": 1}, {"local": None})


def changed(value: dict[str, Any], random: Random) -> dict[str, Any]:
    """The object with another value somewhere in it, one more field, or one less."""
    copy = {name: changed(each, random) if isinstance(each, dict) else each for name, each in value.items()}
    name = random.choice([*copy, "local", "credentials", "unknown"])
    if random.random() < 0.2:
        copy.pop(name, None)
    else:
        copy[name] = random.choice(WRONG)
    return copy


@pytest.mark.parametrize("name", INPUTS)
def test_what_fits_is_coerced_as_graphql_core_does(name: str) -> None:
    """Given, null, left out and defaulted; what graphql-core refuses is Unfit."""
    type_: Any = GraphQLNonNull(SCHEMA.type_map[name])
    coerce, random = coercer_of(type_), Random(1)  # noqa: S311 - to be repeated
    assert coerce is not None
    writer = MutationWriter(random, SCHEMA, Facts(ids={}, cursors={}))

    refused = 0
    for _ in range(300):
        right: Any = writer._object(name)
        assert coerce(right) == coerce_input_value(right, type_)
        assert list(coerce(right)) == list(coerce_input_value(right, type_))
        other: Any = random.choice(WRONG) if random.random() < 0.1 else changed(right, random)
        wanted = coerce_input_value(other, type_)
        if wanted is Undefined:
            refused += 1
            with pytest.raises(Unfit):
                coerce(other)
        else:
            assert coerce(other) == wanted

    assert 30 < refused < 300


@pytest.mark.parametrize("type_name", ["Listed", "Chosen", "Timed", "Nested"])
def test_other_types_are_left_to_graphql_core(type_name: str) -> None:
    """Lists, enumerations and scalars of the schema's own, and what contains itself."""
    schema = build_schema("""
        enum Choice { A B }
        scalar Time
        input Listed { a: [String] }
        input Chosen { a: Choice }
        input Timed { a: Time }
        input Nested { a: Nested }
        type Query { a: Int }
    """)

    assert coercer_of(schema.type_map[type_name]) is None  # type: ignore[arg-type] # it is an input
