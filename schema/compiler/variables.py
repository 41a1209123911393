"""Coerces the variables of a compiled operation, as graphql-core does, with what depends on their types done once.

For a value that does not fit `Unfit` is raised: graphql-core then executes the whole operation, with its own sentences
about what is wrong. What is coerced here is equal to what graphql-core makes: `tests/schema/compiler/test_variables.py`
compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLScalarType,
    GraphQLSchema,
    Undefined,
    VariableDefinitionNode,
    get_variable_values,
    is_enum_type,
    is_input_object_type,
    is_input_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
    is_scalar_type,
    type_from_ast,
)
from graphql.utilities.coerce_input_value import coerce_default_value

from schema.compiler.selections import NotCompilable

ABSENT = object()
MAX_DEPTH = 8
"""Of the input types inside each other."""
Coerce = Callable[[Any], Any]
"""The value that JSON has, as the operation gets it; raises `Unfit`."""


class Unfit(Exception):
    """A value is missing or does not fit: graphql-core words what is wrong with it."""


class _Variable(NamedTuple):
    name: str
    coerce: Coerce
    is_required: bool
    default: Any
    """Coerced; `ABSENT` without one."""


class Variables:
    """The variables of one operation."""

    def __init__(self, schema: GraphQLSchema, definitions: Iterable[VariableDefinitionNode]) -> None:
        """Raises `NotCompilable` for a type that is not coerced here."""
        self._variables = [_variable(schema, definition) for definition in definitions]

    def of(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The coerced variables; raises `Unfit`."""
        coerced = {}
        for name, coerce, is_required, default in self._variables:
            value = variables.get(name, ABSENT)
            if value is not ABSENT:
                coerced[name] = coerce(value)
            elif default is not ABSENT:
                coerced[name] = default
            elif is_required:
                raise Unfit
        return coerced


def _variable(schema: GraphQLSchema, definition: VariableDefinitionNode) -> _Variable:
    type_ = type_from_ast(schema, definition.type)
    if not is_input_type(type_):
        raise NotCompilable("a variable of an unknown type")
    name, default = definition.variable.name.value, ABSENT
    if definition.default_value is not None:
        values = get_variable_values(schema, [definition], {})
        if isinstance(values, list):
            raise NotCompilable("a default that does not fit")
        default = values.coerced[name]
    return _Variable(name, coercer_of(type_), is_non_null_type(type_), default)


def coercer_of(type_: GraphQLInputType, depth: int = 0) -> Coerce:
    """The function that coerces values of a type; raises `NotCompilable` for types that are nested too deep."""
    if depth > MAX_DEPTH:
        raise NotCompilable("an input type inside itself")
    if is_non_null_type(type_):
        return _some(type_.of_type, depth)
    some = _some(type_, depth)
    return lambda value: None if value is None else some(value)


def _some(type_: GraphQLInputType, depth: int) -> Coerce:
    """Coerces values of a nullable type that are not null."""
    if is_list_type(type_):
        return _list(coercer_of(type_.of_type, depth + 1))
    if is_input_object_type(type_):
        return _object(type_, depth)
    if is_enum_type(type_):
        return _enum(type_)
    if is_scalar_type(type_):
        return _scalar(type_)
    raise NotCompilable("a variable of an unknown type")


def _list(coerce: Coerce) -> Coerce:
    """A value that is no list stands for a list of one."""

    def coerce_all(values: Any) -> list[Any]:
        if values is None:
            raise Unfit
        return [coerce(value) for value in values] if type(values) is list else [coerce(values)]

    return coerce_all


def _object(type_: GraphQLInputObjectType, depth: int) -> Coerce:
    fields = [
        (name, field.out_name or name, coercer_of(field.type, depth + 1), *absence_of(field))
        for name, field in type_.fields.items()
    ]
    known = type_.fields.keys()

    def coerce(value: Any) -> Any:
        if type(value) is not dict or not value.keys() <= known:
            raise Unfit
        coerced = {}
        for name, out_name, coerce_one, is_required, default in fields:
            if name in value:
                coerced[out_name] = coerce_one(value[name])
            elif is_required:
                raise Unfit
            elif default is not Undefined:
                coerced[out_name] = default
        return finished(type_, coerced)

    return coerce


def absence_of(field: Any) -> tuple[bool, Any]:
    """Whether a field of an input object, or an argument, has to be given, and its default or `Undefined`."""
    return is_required_input_field(field), coerce_default_value(field)


def finished(type_: GraphQLInputObjectType, coerced: dict[str, Any]) -> Any:
    """An input object from its coerced fields; raises `Unfit` for one that has to have a single field and has not."""
    if type_.is_one_of and (len(coerced) != 1 or None in coerced.values()):
        raise Unfit
    return type_.out_type(coerced)


def _enum(type_: GraphQLEnumType) -> Coerce:
    values = {name: _custom(type_)(name) for name in type_.values}

    def coerce(value: Any) -> Any:
        if type(value) is not str or value not in values:
            raise Unfit
        return values[value]

    return coerce


def _custom(type_: GraphQLEnumType | GraphQLScalarType) -> Coerce:
    def coerce(value: Any) -> Any:
        try:
            coerced = type_.coerce_input_value(value)
        except Exception:  # noqa: BLE001 - a scalar raises what it wants
            raise Unfit from None
        if coerced is Undefined:
            raise Unfit
        return coerced

    return coerce


def _scalar(type_: GraphQLScalarType) -> Coerce:
    """Takes a value of the very type that JSON should have for it as it is; graphql-core looks at any other."""
    coerce_other, wanted = _custom(type_), _JSON_TYPES.get(type_.name)
    if wanted is None:
        return coerce_other
    return lambda value: value if type(value) is wanted else coerce_other(value)


_JSON_TYPES: dict[str, type] = {"String": str, "ID": str, "Boolean": bool}
"""Of an integer the range counts too, so that graphql-core looks at each."""
