"""What is wrong with the variables of a request, said with the field and without the value: it may be a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    OperationDefinitionNode,
    is_input_type,
    is_non_null_type,
    type_from_ast,
)
from graphql.utilities.validate_input_value import validate_input_value

_FIELD = re.compile(r"(required|unknown) field '([A-Za-z0-9_]{1,80})'")
_KIND = re.compile(r"type '([A-Za-z0-9_!\[\]]{1,80})'")


class _Enough(Exception):
    """As many complaints as are wanted."""


def complaints(
    schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any], *, at_most: int
) -> list[str]:
    """A sentence for everything that keeps the variables from being coerced, `at_most` that many."""
    found: list[str] = []
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        type_ = type_from_ast(schema, definition.type)
        if not is_input_type(type_):
            continue
        if name not in variables:
            if is_non_null_type(type_) and definition.default_value is None:
                found.append(f"Variable '${name}' of required type '{type_}' was not provided.")
        else:
            _check(name, variables[name], type_, found, at_most)
        if len(found) >= at_most:
            break
    return found[:at_most]


def _check(name: str, value: Any, type_: GraphQLInputType, found: list[str], at_most: int) -> None:
    def complain(error: GraphQLError, path: list[str | int]) -> None:
        found.append(_sentence(name, error.message, path))
        if len(found) >= at_most:
            raise _Enough

    try:
        validate_input_value(value, type_, complain, hide_suggestions=True)
    except _Enough:
        return


def _sentence(name: str, message: str, path: list[str | int]) -> str:
    """Only names of the schema and of the client's own fields are taken from graphql-core's sentence."""
    head = message.partition("found")[0]
    place = f"Variable '${name}'" + (f" at '{_dotted(path)}'" if path else "")
    field = _FIELD.search(head)
    if field is not None:
        verb = "lacks the required" if field[1] == "required" else "has an unknown"
        return f"{place} {verb} field '{field[2]}'."
    if "OneOf" in head or "exactly one" in head.lower():
        return f"{place} must have exactly one field, and that not null."
    kind = _KIND.search(head)
    return f"{place} has a value that does not fit" + (f" the type '{kind[1]}'." if kind else ".")


def _dotted(path: list[str | int]) -> str:
    return ".".join(str(part) for part in path)[:200]
