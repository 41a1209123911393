"""Documents that differ in their literals alone: strings and integers in arguments become variables of their places.

A client that writes values into its documents sends another one with each request, and to parse and validate it takes
ten times as long as to execute it. What is executed is the operation with variables, in the place of one that is the
same but for its literals. Only what was written without an error counts: for anything else the document itself is
prepared, so that every error is that of the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    GraphQLSchema,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse_type,
    visit,
)

from schema.documents.tokens import TOKEN, is_simple_string, parse_document

MAX_CHARACTERS = 8_192
"""Of a document whose literals are taken out."""
MAX_LITERALS = 50
_PREFIX = "literal__"
_INT_RANGE = range(-(2**31), 2**31)


class Outline(NamedTuple):
    """A document with variables in the place of its literals."""

    text: str
    literals: tuple[str | int, ...]

    def variables(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The variables of a request with the literals among them."""
        return {**given, **{f"{_PREFIX}{number}": value for number, value in enumerate(self.literals)}}


def outline_of(text: str) -> Outline | None:
    """The outline of a document; None for one without literals, or with any that are not taken out.

    What is no document has an outline too; nothing that was valid has it.
    """
    if len(text) > MAX_CHARACTERS or _PREFIX in text:
        return None
    pieces: list[str] = []
    literals: list[str | int] = []
    end = 0
    for match in _literals(text):
        value = _value(match[1])
        if value is None or len(literals) == MAX_LITERALS:
            return None
        pieces += text[end : match.start(1)], f"${_PREFIX}{len(literals)}"
        literals.append(value)
        end = match.end(1)
    return Outline("".join((*pieces, text[end:])), tuple(literals)) if literals else None


def _literals(text: str) -> Iterator[re.Match[str]]:
    """The strings and numbers in the arguments of fields and their directives, not in definitions of variables."""
    level, is_inside = 0, False
    for match in TOKEN.finditer(text):
        match match[1][0]:
            case "(":
                is_inside = level > 0
            case ")":
                is_inside = False
            case "{" if not is_inside:
                level += 1
            case "}" if not is_inside:
                level -= 1
            case first if is_inside and first in '"-0123456789':
                yield match


def _value(token: str) -> str | int | None:
    """The value of a string without escapes, or of an integer of 32 bits; None for any other."""
    if token[0] == '"':
        return token[1:-1] if is_simple_string(token) else None
    digits = token.removeprefix("-")
    if not digits.isdecimal() or (digits[0] == "0" and digits != "0"):
        return None
    return int(token) if len(digits) <= len(str(_INT_RANGE.stop)) and int(token) in _INT_RANGE else None


def parse_outline(schema: GraphQLSchema, text: str) -> tuple[DocumentNode, OperationDefinitionNode] | None:
    """The document of an outline, with the variables of its literals defined, and its operation.

    None unless it is one query, and each literal is in a place whose type is known. Raises `GraphQLError`.
    """
    document = parse_document(text)
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY:
        return None
    (operation,) = operations
    found = _Places(type_info := TypeInfo(schema))
    visit(document, TypeInfoVisitor(type_info, found))
    if None in found.types.values():
        return None
    definitions = (*(operation.variable_definitions or ()), *_definitions(found.types))
    whole = replace(operation, variable_definitions=definitions)
    return replace(
        document, definitions=tuple(whole if node is operation else node for node in document.definitions)
    ), whole


def _definitions(types: Mapping[str, str | None]) -> Sequence[VariableDefinitionNode]:
    return [
        VariableDefinitionNode(
            variable=VariableNode(name=NameNode(value=name)), type=parse_type(str(type_)), directives=()
        )
        for name, type_ in types.items()
    ]


class _Places(Visitor):
    """The types of the places in which literals were."""

    def __init__(self, type_info: TypeInfo) -> None:
        super().__init__()
        self._type_info = type_info
        self.types: dict[str, str | None] = {}

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        """Note the type of a place."""
        if node.name.value.startswith(_PREFIX):
            type_ = self._type_info.get_input_type()
            self.types[node.name.value] = None if type_ is None else str(type_)
