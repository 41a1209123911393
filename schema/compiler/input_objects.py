"""Makes the input objects of a field from the values that graphql-core has coerced, as Strawberry does for a resolver.

Strawberry looks up names and types of fields for every request; here that is done once per operation. Both must make
equal objects: `tests/schema/compiler/test_input_objects.py` compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, NamedTuple

import strawberry
from graphql import FieldNode, GraphQLField, Undefined, VariableNode, get_argument_values, is_non_null_type
from graphql.execution.values import VariableValues
from graphql.utilities.coerce_input_value import coerce_default_value
from strawberry.scalars import is_scalar
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryOptional, has_object_definition
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition

from schema.compiler.plain_inputs import ABSENT, Unfit
from schema.compiler.selections import NotCompilable

Make = Callable[[Any], Any]


class _Whole(NamedTuple):
    """An argument whose value is a variable, or that is not given; `default` is ABSENT where it has none."""

    python_name: str
    variable: str | None
    make: Make
    is_required: bool
    default: Any


class Inputs:
    """Makes the keyword arguments of one field's resolver."""

    def __init__(self, schema: strawberry.Schema, type_: GraphQLField, node: FieldNode) -> None:
        self._type = type_
        self._node = node
        naming = schema.config.name_converter.from_argument
        known: list[StrawberryArgument] = type_.extensions["strawberry-definition"].arguments
        self._makers = [(naming(each), each.python_name, maker_of(schema, each.type)) for each in known]
        arguments = {each.name.value: each.value for each in node.arguments or ()}
        self._whole: list[_Whole] = []
        for name, python_name, make in self._makers:
            argument, value = type_.args[name], arguments.get(name)
            default = coerce_default_value(argument)
            variable = value.name.value if isinstance(value, VariableNode) else None
            if (value is None or variable is not None) and not isinstance(default, list | dict):
                default = ABSENT if default is Undefined else make(default)
                self._whole.append(_Whole(python_name, variable, make, is_non_null_type(argument.type), default))
        self.are_whole_variables = len(self._whole) == len(type_.args)
        """Whether each argument that is given is a variable."""

    def of_whole_variables(self, values: VariableValues) -> dict[str, Any]:
        """As `of`, where they `are_whole_variables`, which need no sources."""
        given = {}
        for python_name, variable, make, is_required, default in self._whole:
            value = ABSENT if variable is None else values.coerced.get(variable, ABSENT)
            if value is ABSENT:
                if default is not ABSENT:
                    given[python_name] = default
                elif is_required:
                    raise Unfit
            elif value is None and is_required:
                raise Unfit
            else:
                given[python_name] = make(value)
        return given

    def of(self, values: VariableValues) -> dict[str, Any]:
        """The arguments with these variables; raises what graphql-core raises, or `Unfit`."""
        values_by_name = get_argument_values(self._type, self._node, values)
        return {
            python_name: make(values_by_name[name])
            for name, python_name, make in self._makers
            if name in values_by_name
        }


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
