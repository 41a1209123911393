"""The variables of a compiled operation: plain ones are checked here, all others by graphql-core.

Plain is a string, an ID, an integer or a boolean that has exactly that type in JSON. For any other value of a plain
variable `Unfit` is raised, and graphql-core executes the whole operation, with its own coercion and error messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLSchema,
    VariableDefinitionNode,
    get_variable_values,
    is_non_null_type,
    type_from_ast,
)
from graphql.execution.values import VariableValues

from schema.compiler.plain_inputs import ABSENT, PLAIN, Coerce, Unfit, coercer_of
from schema.compiler.selections import NotCompilable


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
        self._coercers: list[tuple[str, Coerce, bool]] | None = None

    def without_sources(self) -> None:
        """For an operation whose arguments are whole variables: input objects of plain values are coerced here too."""
        coercers = []
        for definition in self._definitions:
            type_: Any = type_from_ast(self._schema, definition.type)
            coerce = None if definition.default_value is not None else coercer_of(type_)
            if coerce is None:
                return
            coercers.append((definition.variable.name.value, coerce, is_non_null_type(type_)))
        self._coercers = coercers

    def of(self, variables: Mapping[str, Any]) -> VariableValues:
        """The coerced variables, plain ones without their sources; raises `Unfit`."""
        if self._coercers is not None:
            with suppress(Unfit):
                return VariableValues({}, dict(_coerced(self._coercers, variables)))
        if not self.are_plain:
            values = get_variable_values(self._schema, self._definitions, dict(variables))
            if isinstance(values, list):
                raise Unfit
            return values
        coerced = {}
        for variable in self._plain:
            value = variables.get(variable.name, variable.default)
            if value is ABSENT:
                if variable.is_required:
                    raise Unfit
            elif variable.fits(value) or (value is None and not variable.is_required):
                coerced[variable.name] = value
            else:
                raise Unfit
        return VariableValues({}, coerced)


def _coerced(coercers: Iterable[tuple[str, Coerce, bool]], variables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, coerce, is_required in coercers:
        value = variables.get(name, ABSENT)
        if value is not ABSENT:
            yield name, coerce(value)
        elif is_required:
            raise Unfit


def _plain(schema: GraphQLSchema, definition: VariableDefinitionNode) -> _Plain | None:
    type_ = type_from_ast(schema, definition.type)
    inner = type_.of_type if is_non_null_type(type_) else type_
    name = definition.variable.name.value
    if getattr(inner, "name", None) not in PLAIN:
        return None
    default = ABSENT
    if definition.default_value is not None:
        values = get_variable_values(schema, [definition], {})
        if isinstance(values, list):
            raise NotCompilable("a default that does not fit")
        default = values.coerced[name]
    return _Plain(name=name, fits=PLAIN[inner.name], is_required=is_non_null_type(type_), default=default)  # type: ignore[union-attr] # it has one of these names
