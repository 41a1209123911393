"""The limits of one document, counted on its syntax tree before it is validated."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
)

from schema.limits import Limits

MAX_ALIAS_LENGTH = 80
"""A list repeats an alias in every item of the response."""
MAX_OPERATIONS = 30
MAX_FRAGMENTS = 60
MAX_SELECTIONS = 800
MAX_SPREADS = 200
MAX_VARIABLES = 100
MAX_VALUES = 300
"""Literals and uses of variables, each of which about thirty validation rules visit."""


CHECKS = frozenset({"checkBackupDestination", "testBackupDestination"})
MAX_CHECKS = 1
"""Per operation: each waits for a store, up to ten seconds."""


class LimitExceeded(Exception):
    """A document is over a limit; `str()` says which limit, and what it allows."""


def check_size(document: DocumentNode, operation: OperationDefinitionNode, limits: Limits) -> None:
    """Raise `LimitExceeded` for a document over a limit of what makes checking and validating it expensive."""
    fragments = fragments_of(document)
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    nodes = [node for selections in _selection_sets(document) for node in selections.selections]
    aliases = [node.alias.value for node in nodes if isinstance(node, FieldNode) and node.alias is not None]
    variables = [variable for each in operations for variable in each.variable_definitions or ()]
    annotated: list[Any] = [*nodes, *variables, *operations, *fragments.values()]
    directives: list[DirectiveNode] = [directive for node in annotated for directive in node.directives or ()]
    require_at_most(len(aliases), limits.aliases, "aliases")
    require_at_most(max(map(len, aliases), default=0), MAX_ALIAS_LENGTH, "letters in an alias")
    require_at_most(len(directives), limits.directives, "directives")
    require_at_most(len(operations), MAX_OPERATIONS, "operations")
    require_at_most(len(document.definitions) - len(operations), MAX_FRAGMENTS, "fragments")
    require_at_most(len(nodes), MAX_SELECTIONS, "fields")
    require_at_most(sum(isinstance(node, FragmentSpreadNode) for node in nodes), MAX_SPREADS, "spreads of fragments")
    require_at_most(len(variables), MAX_VARIABLES, "variables")
    values = [variable.default_value for variable in variables if variable.default_value is not None]
    arguments = [argument for node in (*nodes, *directives) for argument in getattr(node, "arguments", None) or ()]
    values += [argument.value for argument in arguments]
    require_at_most(_count(values), MAX_VALUES, "values; use variables")
    require_at_most(_depth(operation, fragments, limits.depth), limits.depth, "levels of fields")
    fields = root_fields(operation, fragments)
    require_at_most(len(fields), limits.root_fields, "root fields")
    require_at_most(sum(field.name.value in CHECKS for field in fields), MAX_CHECKS, "check in one operation")


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragments of a document by name."""
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def selected_fields(document: DocumentNode) -> list[FieldNode]:
    """The fields a document selects anywhere."""
    nodes = (node for selections in _selection_sets(document) for node in selections.selections)
    return [node for node in nodes if isinstance(node, FieldNode)]


def root_fields(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> list[FieldNode]:
    """The fields at the root of an operation, those in fragments too."""
    found: list[FieldNode] = []
    seen, waiting = set[str](), [operation.selection_set]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                found.append(node)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = fragments.get(node.name.value)
                waiting += () if fragment is None else (fragment.selection_set,)
    return found


def require_at_most(count: int, allowed: int, what: str) -> None:
    """Raise `LimitExceeded` for a count over what is allowed."""
    if count > allowed:
        raise LimitExceeded(f"The document has more than {allowed} {what}.")


def _selection_sets(document: DocumentNode) -> Iterator[SelectionSetNode]:
    waiting = [
        definition.selection_set
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode)
    ]
    while waiting:
        selections = waiting.pop()
        yield selections
        for node in selections.selections:
            inner = getattr(node, "selection_set", None)
            if inner is not None:
                waiting.append(inner)


def _depth(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode], enough: int) -> int:
    """The levels of fields, fragments followed; a cycle of fragments ends at `enough`, and validation refuses it."""
    deepest: dict[str, int] = {}
    waiting = [(operation.selection_set, 1)]
    greatest = 0
    while waiting:
        selections, level = waiting.pop()
        for node in selections.selections:
            if isinstance(node, FieldNode):
                greatest = max(greatest, level)
                if node.selection_set is not None and level <= enough:
                    waiting.append((node.selection_set, level + 1))
            elif isinstance(node, InlineFragmentNode):
                waiting.append((node.selection_set, level))
            elif isinstance(node, FragmentSpreadNode):
                fragment = fragments.get(node.name.value)
                # Followed again only where it lies deeper than before, so that the walk stays small.
                if fragment is not None and deepest.get(node.name.value, 0) < level <= enough + 1:
                    deepest[node.name.value] = level
                    waiting.append((fragment.selection_set, level))
    return greatest


def _count(values: Iterable[ValueNode]) -> int:
    """The number of values, including those inside lists and objects."""
    counted, waiting = 0, deque(values)
    while waiting:
        value = waiting.pop()
        counted += 1
        if isinstance(value, ListValueNode):
            waiting.extend(value.values)
        elif isinstance(value, ObjectValueNode):
            waiting.extend(field.value for field in value.fields)
    return counted
