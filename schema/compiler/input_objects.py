"""Makes the input objects of a field from coerced values, as Strawberry does for a resolver.

Strawberry looks up names and types of fields for every request; here that is done once per operation. Both must make
equal objects: `tests/schema/compiler/test_input_objects.py` compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any

import strawberry
from strawberry.scalars import is_scalar
from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryOptional, has_object_definition
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition

from schema.compiler.selections import NotCompilable
from schema.compiler.variables import Unfit

Make = Callable[[Any], Any]


def maker_of(schema: strawberry.Schema, type_: Any) -> Make:
    """The function that makes values of that type; raises `NotCompilable` for types that no argument has."""
    if isinstance(type_, StrawberryMaybe):
        return _maybe(maker_of(schema, type_.of_type), may_be_null=isinstance(type_.of_type, StrawberryOptional))
    if isinstance(type_, StrawberryOptional):
        return _or_null(maker_of(schema, type_.of_type))
    if _is_leaf(schema, type_):
        return lambda value: value
    if isinstance(type_, StrawberryList):
        return _list(schema, type_.of_type)
    if has_object_definition(type_) and type_.__strawberry_definition__.from_input is None:
        return _object(schema, type_)
    raise NotCompilable("an argument of a type that is not made here")


def _is_leaf(schema: strawberry.Schema, type_: Any) -> bool:
    """Whether values of the type are what graphql-core coerces them to."""
    is_enum = isinstance(type_, StrawberryEnumDefinition) or has_enum_definition(type_)
    return is_enum or is_scalar(type_, schema.schema_converter.scalar_registry)


def _list(schema: strawberry.Schema, of_type: Any) -> Make:
    """Makes a list of its own each time: graphql-core gives one default to all requests that leave the value out."""
    if _is_leaf(schema, of_type):
        return lambda values: None if values is None else list(values)
    make = maker_of(schema, of_type)
    return lambda values: None if values is None else [make(value) for value in values]


def _maybe(make: Make, *, may_be_null: bool) -> Make:
    """Wraps values in `Some`, which tells null from a field left out; raises `Unfit` for null where it does not fit."""

    def some(value: Any) -> strawberry.Some[Any]:
        if value is None and not may_be_null:
            raise Unfit
        return strawberry.Some(make(value))

    return some


def _or_null(make: Make) -> Make:
    return lambda value: None if value is None else make(value)


def _object(schema: strawberry.Schema, class_: Any) -> Make:
    """Makes an input object. A field that is left out and has no default is None, as Strawberry has it for `Maybe`."""
    definition = class_.__strawberry_definition__
    naming = schema.config.name_converter.from_field
    fields = [
        (naming(each), each.python_name, maker_of(schema, each.resolve_type(type_definition=definition)))
        for each in definition.fields
    ]
    absent = {
        field.python_name: None
        for field in definition.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }

    def make(value: Mapping[str, Any]) -> Any:
        present = {python_name: make_one(value[name]) for name, python_name, make_one in fields if name in value}
        return class_(**(absent | present))

    return make
