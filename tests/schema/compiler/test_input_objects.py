"""Inputs made from coerced values are those that strawberry makes, field by field."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from graphql.utilities import coerce_input_value
from strawberry.types.arguments import convert_argument

from schema.compiler.input_objects import maker_of
from schema.compiler.selections import NotCompilable
from schema.compiler.variables import Unfit
from schema.resolvers.definition import make_schema
from schema.types.inputs import BackupDestinationFilter, CreateBackupDestinationInput, UpdateBackupDestinationInput
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


def test_a_type_that_no_mutation_takes_is_not_made() -> None:
    """Lists and enums come when a mutation takes one."""
    with pytest.raises(NotCompilable):
        maker_of(SCHEMA, BackupDestinationFilter)
