"""Inputs made from coerced values are those that strawberry makes, field by field."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from graphql import is_enum_type, is_list_type, is_non_null_type
from graphql.utilities import coerce_input_value
from strawberry.types.arguments import convert_argument

from schema.compiler.input_objects import maker_of
from schema.compiler.selections import NotCompilable
from schema.compiler.variables import Unfit
from schema.resolvers.definition import make_schema
from schema.types.inputs import (
    BackupDestinationFilter,
    BackupDestinationOrder,
    CreateBackupDestinationInput,
    UpdateBackupDestinationInput,
)
from tests.support.fuzz.random_mutations import MutationWriter
from tests.support.fuzz.random_values import Facts

SCHEMA = make_schema()
INPUTS = {each.__name__: each for each in (CreateBackupDestinationInput, UpdateBackupDestinationInput)}


@pytest.mark.parametrize("name", INPUTS)
def test_what_is_made_is_what_strawberry_makes(name: str) -> None:
    """Of whatever graphql-core lets through: given, null, left out and defaulted."""
    type_, class_ = SCHEMA._schema.type_map[name], INPUTS[name]
    make, registry = maker_of(SCHEMA, class_), SCHEMA.schema_converter.scalar_registry
    writer = MutationWriter(Random(1), SCHEMA._schema, Facts(ids={}, cursors={}))  # noqa: S311 - to be repeated

    for _ in range(300):
        coerced: Any = coerce_input_value(writer._object(name), type_)  # type: ignore[arg-type] # it is an input
        made, wanted = make(coerced), convert_argument(coerced, class_, registry, SCHEMA.config)
        assert made == wanted
        assert made.raw() == wanted.raw()  # type: ignore[attr-defined] # both are inputs of ours


def test_null_where_only_an_absence_fits_is_left_to_strawberry() -> None:
    """Which has a sentence for it."""
    with pytest.raises(Unfit):
        maker_of(SCHEMA, CreateBackupDestinationInput)({"local": None})


def test_a_type_that_no_argument_has_is_not_made() -> None:
    with pytest.raises(NotCompilable):
        maker_of(SCHEMA, object)


@pytest.mark.parametrize("class_", [BackupDestinationFilter, BackupDestinationOrder])
@pytest.mark.parametrize("seed", range(50))
def test_an_input_of_a_query_is_what_strawberry_makes(class_: type, seed: int) -> None:
    """Lists and enums too, each given, null, empty or left out; a list is another one each time."""
    type_, registry = SCHEMA._schema.type_map[class_.__name__], SCHEMA.schema_converter.scalar_registry
    random = Random(seed)  # noqa: S311 - to be repeated
    given = {
        name: value_of(field.type, random)
        for name, field in type_.fields.items()  # type: ignore[attr-defined] # it is an input
        if is_non_null_type(field.type) or random.random() < 0.5
    }
    coerced: Any = coerce_input_value(given, type_)  # type: ignore[arg-type] # it is an input

    made = maker_of(SCHEMA, class_)(coerced)

    assert made == convert_argument(coerced, class_, registry, SCHEMA.config)
    lists = [value for value in vars(made).values() if isinstance(value, list)]
    assert all(value is not other for value in lists for other in coerced.values())


def value_of(type_: Any, random: Random) -> Any:
    """A value that fits a type, as JSON has it."""
    if is_non_null_type(type_):
        return value_of(type_.of_type, random)
    if is_list_type(type_):
        return random.choice([None, [], [value_of(type_.of_type, random) for _ in range(2)]])
    if is_enum_type(type_):
        return random.choice(list(type_.values))
    values: dict[str, list[Any]] = {"Boolean": [True, False], "Int": [0, 7], "DateTime": ["2024-08-07T00:00:00Z"]}
    return random.choice(values.get(type_.name, ["", "text"]))
