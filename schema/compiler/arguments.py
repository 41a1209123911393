"""The arguments of a compiled query's fields: literals are coerced once, plain variables taken as they are."""

from __future__ import annotations

from typing import Any

import strawberry
from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLField,
    ListValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    is_non_null_type,
)
from graphql.execution.values import VariableValues
from graphql.utilities.coerce_input_value import coerce_input_literal
from strawberry.types.arguments import StrawberryArgument, convert_argument

from schema.compiler.input_objects import Inputs
from schema.compiler.plain_inputs import ABSENT, Unfit
from schema.compiler.selections import NotCompilable
from schema.compiler.variables import Variables


class Arguments:
    """The keyword arguments that a field's loader takes, from the arguments of one node."""

    def __init__(self, schema: strawberry.Schema, type_: GraphQLField, node: FieldNode, variables: Variables) -> None:
        self._schema = schema
        self._type = type_
        self._inputs = Inputs(schema, type_, node)
        self._known: list[StrawberryArgument] = type_.extensions["strawberry-definition"].arguments
        self._fixed: dict[str, Any] = {}
        self._from_variables: list[tuple[str, str, bool]] = []
        self._is_plain = variables.are_plain and all(map(self._sort, node.arguments or ()))
        if not self._is_plain:
            variables.are_plain = False  # `get_argument_values` needs the variables with their sources

    def of(self, values: VariableValues) -> dict[str, Any]:
        """The arguments with these variables; raises `Unfit`, or what graphql-core raises."""
        if not self._is_plain:
            return self._inputs.of(values)
        arguments = dict(self._fixed)
        for name, variable, is_required in self._from_variables:
            value = values.coerced.get(variable, ABSENT)
            if value is None and is_required:
                raise Unfit
            if value is not ABSENT:
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


def _has_variables(value: ValueNode) -> bool:
    if isinstance(value, ListValueNode):
        return any(map(_has_variables, value.values))
    if isinstance(value, ObjectValueNode):
        return any(_has_variables(field.value) for field in value.fields)
    return isinstance(value, VariableNode)
