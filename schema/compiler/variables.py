"""The variables and arguments of a compiled operation: plain ones are checked here, all others by graphql-core.

Plain is a string, an ID, an integer or a boolean that has exactly that type in JSON. For any other value of a plain
variable `Unfit` is raised, and graphql-core executes the whole operation, with its own coercion and error messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLField,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_argument_values,
    get_variable_values,
    is_non_null_type,
    type_from_ast,
)
from graphql.execution.values import VariableValues
from graphql.utilities.coerce_input_value import coerce_input_literal
from strawberry.types.arguments import StrawberryArgument, convert_argument, convert_arguments

from schema.compiler.selections import NotCompilable

_ABSENT = object()
_PLAIN: dict[str, Callable[[Any], bool]] = {
    "String": lambda value: type(value) is str,
    "ID": lambda value: type(value) is str,
    "Boolean": lambda value: type(value) is bool,
    "Int": lambda value: type(value) is int and -(2**31) <= value < 2**31,
}


class Unfit(Exception):
    """A value is missing or not plain: graphql-core coerces it, or words what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plain:
    """A variable of a plain type."""

    name: str
    fits: Callable[[Any], bool]
    is_required: bool
    default: Any


class Variables:
    """The variables of one operation."""

    def __init__(self, schema: GraphQLSchema, definitions: Iterable[VariableDefinitionNode]) -> None:
        self._schema = schema
        self._definitions = tuple(definitions)
        plain = [_plain(schema, definition) for definition in self._definitions]
        self._plain = [variable for variable in plain if variable is not None]
        self.are_plain = len(self._plain) == len(plain)

    def of(self, variables: Mapping[str, Any]) -> VariableValues:
        """The coerced variables, plain ones without their sources; raises `Unfit`."""
        if not self.are_plain:
            values = get_variable_values(self._schema, self._definitions, dict(variables))
            if isinstance(values, list):
                raise Unfit
            return values
        coerced = {}
        for variable in self._plain:
            value = variables.get(variable.name, variable.default)
            if value is _ABSENT:
                if variable.is_required:
                    raise Unfit
            elif variable.fits(value) or (value is None and not variable.is_required):
                coerced[variable.name] = value
            else:
                raise Unfit
        return VariableValues({}, coerced)


class Arguments:
    """The keyword arguments that a field's loader takes, from the arguments of one node."""

    def __init__(self, schema: strawberry.Schema, type_: GraphQLField, node: FieldNode, variables: Variables) -> None:
        self._schema = schema
        self._type = type_
        self._node = node
        self._known: list[StrawberryArgument] = type_.extensions["strawberry-definition"].arguments
        self._fixed: dict[str, Any] = {}
        self._from_variables: list[tuple[str, str, bool]] = []
        self._is_plain = variables.are_plain and all(map(self._sort, node.arguments or ()))
        if not self._is_plain:
            variables.are_plain = False  # `get_argument_values` needs the variables with their sources

    def of(self, values: VariableValues) -> dict[str, Any]:
        """The arguments with these variables; raises `Unfit`, or what graphql-core raises."""
        if not self._is_plain:
            by_name = get_argument_values(self._type, self._node, values)
            converter = self._schema.schema_converter
            return convert_arguments(by_name, self._known, converter.scalar_registry, self._schema.config)
        arguments = dict(self._fixed)
        for name, variable, is_required in self._from_variables:
            value = values.coerced.get(variable, _ABSENT)
            if value is None and is_required:
                raise Unfit
            if value is not _ABSENT:
                arguments[name] = value
            elif is_required:
                raise Unfit
        return arguments

    def _sort(self, argument: ArgumentNode) -> bool:
        """Store an argument that is a literal or a variable; False for one that contains variables inside."""
        name, value = argument.name.value, argument.value
        type_ = self._type.args[name].type
        naming = self._schema.config.name_converter.from_argument
        known = next(each for each in self._known if naming(each) == name)
        python_name = known.python_name
        if isinstance(value, VariableNode):
            self._from_variables.append((python_name, value.name.value, is_non_null_type(type_)))
            return True
        if _has_variables(value):
            return False
        fixed = coerce_input_literal(value, type_)
        if fixed is Undefined:
            raise NotCompilable("a literal that does not fit")
        registry = self._schema.schema_converter.scalar_registry
        self._fixed[python_name] = convert_argument(fixed, known.type, registry, self._schema.config)
        return True


def _plain(schema: GraphQLSchema, definition: VariableDefinitionNode) -> _Plain | None:
    type_ = type_from_ast(schema, definition.type)
    inner = type_.of_type if is_non_null_type(type_) else type_
    name = definition.variable.name.value
    if getattr(inner, "name", None) not in _PLAIN:
        return None
    default = _ABSENT
    if definition.default_value is not None:
        values = get_variable_values(schema, [definition], {})
        if isinstance(values, list):
            raise NotCompilable("a default that does not fit")
        default = values.coerced[name]
    return _Plain(name=name, fits=_PLAIN[inner.name], is_required=is_non_null_type(type_), default=default)  # type: ignore[union-attr] # it has one of these names


def _has_variables(value: ValueNode) -> bool:
    if isinstance(value, ListValueNode):
        return any(map(_has_variables, value.values))
    if isinstance(value, ObjectValueNode):
        return any(_has_variables(field.value) for field in value.fields)
    return isinstance(value, VariableNode)
