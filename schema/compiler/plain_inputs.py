"""Coerces variables of input types as graphql-core does, where every value has the very type of its field in JSON.

graphql-core asks each type anew what it is for every request; here that is done once for an operation. For any other
value `Unfit` is raised: graphql-core then coerces all variables, or words what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    Undefined,
    is_input_object_type,
    is_non_null_type,
    is_required_input_field,
)
from graphql.utilities.coerce_input_value import coerce_default_value

ABSENT = object()
PLAIN: Mapping[str, Callable[[Any], bool]] = {
    "String": lambda value: type(value) is str,
    "ID": lambda value: type(value) is str,
    "Boolean": lambda value: type(value) is bool,
    "Int": lambda value: type(value) is int and -(2**31) <= value < 2**31,
}
"""Whether a value is one of the scalar, by the scalar's name."""

Coerce = Callable[[Any], Any]


class Unfit(Exception):
    """A value is missing or not plain: graphql-core coerces it, or words what is wrong with it."""


class _Field(NamedTuple):
    """A field of an input object; `default` is ABSENT where it has none."""

    name: str
    key: str
    coerce: Coerce
    is_required: bool
    default: Any


def coercer_of(type_: GraphQLInputType, within: frozenset[str] = frozenset()) -> Coerce | None:
    """The function that coerces plain values of a type; None for a type with a list, an enum or another scalar in it.

    `within` are the input objects around it: one that contains itself has none either.
    """
    if is_non_null_type(type_):
        return _of_value(type_.of_type, within)
    coerce = _of_value(type_, within)
    return None if coerce is None else lambda value: None if value is None else coerce(value)


def _of_value(type_: Any, within: frozenset[str]) -> Coerce | None:
    """As `coercer_of`, of values that are not null."""
    if is_input_object_type(type_):
        return None if type_.name in within else _of_object(type_, within | {type_.name})
    fits = PLAIN.get(getattr(type_, "name", ""))
    if fits is None:
        return None

    def coerce(value: Any) -> Any:
        if not fits(value):
            raise Unfit
        return value

    return coerce


def _of_object(type_: GraphQLInputObjectType, within: frozenset[str]) -> Coerce | None:
    fields = []
    for name, field in type_.fields.items():
        coerce_field, default = coercer_of(field.type, within), coerce_default_value(field)
        if coerce_field is None:
            return None
        key = field.out_name or name
        default = ABSENT if default is Undefined else default
        fields.append(_Field(name, key, coerce_field, is_required_input_field(field), default))
    make, is_one_of = type_.out_type, type_.is_one_of

    def coerce(value: Any) -> Any:
        if type(value) is not dict:
            raise Unfit
        coerced, given = {}, 0
        for name, key, coerce_field, is_required, default in fields:
            if name in value:
                coerced[key] = coerce_field(value[name])
                given += 1
            elif is_required:
                raise Unfit
            elif default is not ABSENT:
                coerced[key] = default
        if given != len(value) or (is_one_of and (len(coerced) != 1 or None in coerced.values())):
            raise Unfit
        return make(coerced)

    return coerce
