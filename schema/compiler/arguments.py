"""The arguments of a compiled operation's fields: literals are coerced once, variables taken as they were coerced.

graphql-core looks at the types of all arguments for every request, and Strawberry at those of all fields of their input
objects; here that is done once per operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import strawberry
from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
)
from graphql.utilities.coerce_input_value import coerce_input_literal
from strawberry.types.arguments import StrawberryArgument

from schema.compiler.input_objects import Make, maker_of
from schema.compiler.selections import NotCompilable
from schema.compiler.variables import ABSENT, Unfit, absence_of, finished

Source = Callable[[Mapping[str, Any]], Any]
"""The value of a literal with these coerced variables; `ABSENT` for a variable that was left out. Raises `Unfit`."""


class Arguments:
    """The keyword arguments that a field's function takes, from the arguments of one node."""

    def __init__(self, schema: strawberry.Schema, type_: GraphQLField, node: FieldNode) -> None:
        """Raises `NotCompilable` for what is not made here."""
        naming = schema.config.name_converter.from_argument
        known: list[StrawberryArgument] = type_.extensions["strawberry-definition"].arguments
        literals = {argument.name.value: argument.value for argument in node.arguments or ()}
        self._fixed: dict[str, Any] = {}
        self._made: list[tuple[str, Source, Make]] = []
        for each in known:
            name, python_name, make = naming(each), each.python_name, maker_of(schema, each.type)
            is_required, default = absence_of(type_.args[name])
            if default is not Undefined:
                self._fixed[python_name] = _made(make, default)
            literal = literals.get(name)
            if literal is None:
                if is_required:
                    raise NotCompilable("an argument that is missing")
            elif _has_variables(literal):
                source = _source_of(literal, type_.args[name].type)
                self._made.append((python_name, _required(source) if is_required else source, make))
            else:
                self._fixed[python_name] = _made(make, _coerced(literal, type_.args[name].type))

    def of(self, coerced: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with these coerced variables; raises `Unfit`."""
        arguments = dict(self._fixed)
        for name, source, make in self._made:
            value = source(coerced)
            if value is not ABSENT:
                arguments[name] = make(value)
        return arguments


def _made(make: Make, value: Any) -> Any:
    """What is made of a value that no variable decides."""
    try:
        return make(value)
    except Unfit:
        raise NotCompilable("a literal that does not fit") from None


def _coerced(literal: ValueNode, type_: GraphQLInputType) -> Any:
    coerced = coerce_input_literal(literal, type_)
    if coerced is Undefined:
        raise NotCompilable("a literal that does not fit")
    return coerced


def _source_of(literal: ValueNode, type_: GraphQLInputType) -> Source:
    """The source of a literal's values."""
    if isinstance(literal, VariableNode):
        return _variable(literal.name.value, is_non_null=is_non_null_type(type_))
    if not _has_variables(literal):
        coerced = _coerced(literal, type_)
        return lambda _: coerced
    inner: Any = type_.of_type if is_non_null_type(type_) else type_
    if is_list_type(inner):
        items = literal.values if isinstance(literal, ListValueNode) else (literal,)
        return _list([_source_of(item, inner.of_type) for item in items], is_non_null_type(inner.of_type))
    if is_input_object_type(inner) and isinstance(literal, ObjectValueNode):
        return _object(literal, inner)
    raise NotCompilable("variables in the literal of a scalar")


def _variable(name: str, *, is_non_null: bool) -> Source:
    def value(coerced: Mapping[str, Any]) -> Any:
        found = coerced.get(name, ABSENT)
        if found is None and is_non_null:
            raise Unfit
        return found

    return value


def _required(source: Source) -> Source:
    def value(coerced: Mapping[str, Any]) -> Any:
        found = source(coerced)
        if found is ABSENT:
            raise Unfit
        return found

    return value


def _list(items: list[Source], is_non_null: bool) -> Source:
    """A variable that was left out is null in a list."""
    if is_non_null:
        items = [_required(item) for item in items]

    def value(coerced: Mapping[str, Any]) -> list[Any]:
        return [None if (found := item(coerced)) is ABSENT else found for item in items]

    return value


def _object(literal: ObjectValueNode, type_: GraphQLInputObjectType) -> Source:
    given = {field.name.value: field.value for field in literal.fields}
    if not given.keys() <= type_.fields.keys():
        raise NotCompilable("an unknown field of an input object")
    fields: list[tuple[str, Source, bool, Any]] = []
    for name, field in type_.fields.items():
        source = _source_of(given[name], field.type) if name in given else _absent
        fields.append((field.out_name or name, source, *absence_of(field)))

    def value(coerced: Mapping[str, Any]) -> Any:
        made = {}
        for out_name, source, is_required, default in fields:
            found = source(coerced)
            if found is not ABSENT:
                made[out_name] = found
            elif is_required:
                raise Unfit
            elif default is not Undefined:
                made[out_name] = default
        if type_.is_one_of and len(given) != 1:
            raise Unfit
        return finished(type_, made)

    return value


def _absent(_: Mapping[str, Any]) -> Any:
    return ABSENT


def _has_variables(value: ValueNode) -> bool:
    if isinstance(value, ListValueNode):
        return any(map(_has_variables, value.values))
    if isinstance(value, ObjectValueNode):
        return any(_has_variables(field.value) for field in value.fields)
    return isinstance(value, VariableNode)
