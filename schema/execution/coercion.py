"""Errors of values that a client sent, with the names of fields and without the values, which may be secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    OperationDefinitionNode,
    is_input_object_type,
    is_input_type,
    is_list_type,
    is_non_null_type,
    type_from_ast,
)
from graphql.utilities.validate_input_value import validate_input_value

MAX_NAME_LENGTH = 80
_MAX_PATH_LENGTH = 200
# Only the beginning of graphql-core's sentences is its own; what follows may be the client's value, quotes and all.
_FIELD = re.compile(
    r"Expected value of type '\w{1,80}' (?:(to include required)|not to include unknown) field '(\w{1,80})'", re.ASCII
)
_ONE_OF = "Within OneOf"


class _Enough(Exception):
    """Ends the validation when there are `at_most` errors."""


def variable_errors(
    schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any], *, at_most: int
) -> list[str]:
    """A sentence for each reason why the variables cannot be coerced, `at_most` so many."""
    found: list[str] = []
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        type_ = type_from_ast(schema, definition.type)
        if not is_input_type(type_):
            continue
        place = f"Variable '${name[:MAX_NAME_LENGTH]}'"
        if name in variables:
            _check(place, variables[name], type_, found, at_most)
        elif is_non_null_type(type_) and definition.default_value is None:
            found.append(f"{place} of required type '{type_}' was not provided.")
        if len(found) >= at_most:
            break
    return found[:at_most]


def sentence(place: str, message: str, type_: GraphQLInputType | None, path: list[str | int]) -> str:
    """graphql-core's `message` on the value at `path` in `place`, in a sentence with names of fields alone."""
    where = place + (f" at '{_dotted(path)}'" if path else "")
    field = _FIELD.match(message)
    if field is not None:
        return f"{where} {'lacks the required' if field[1] else 'has an unknown'} field '{field[2]}'."
    if message.startswith(_ONE_OF):
        return f"{where} must have exactly one field, and that not null."
    return f"{where} has a value that does not fit the type '{_type_at(type_, path)}'."


def _check(place: str, value: Any, type_: GraphQLInputType, found: list[str], at_most: int) -> None:
    one_of: list[list[str | int]] = []

    def complain(error: GraphQLError, path: list[str | int]) -> None:
        if error.message.startswith(_ONE_OF):
            if path[:-1] in one_of:
                return  # of a field; the object it is in was reported before
            one_of.append(path)
        found.append(sentence(place, error.message, type_, path))
        if len(found) >= at_most:
            raise _Enough

    try:
        validate_input_value(value, type_, complain, hide_suggestions=True)
    except _Enough:
        return


def _type_at(type_: Any, path: list[str | int]) -> str:
    """The type of what is at `path` in a value of `type_`; a list may stand for itself where its one item was sent."""
    for part in path:
        inner = type_.of_type if is_non_null_type(type_) else type_
        while is_list_type(inner):
            type_ = inner.of_type
            inner = type_.of_type if is_non_null_type(type_) else type_
            if isinstance(part, int):
                break
        if isinstance(part, str) and is_input_object_type(inner):
            type_ = inner.fields[part].type
    return str(type_)


def _dotted(path: list[str | int]) -> str:
    return ".".join(str(part) for part in path)[:_MAX_PATH_LENGTH]
