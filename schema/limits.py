"""How much one document may ask for, counted on its tree before anything expensive looks at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from models.pagination import DEFAULT_SIZE, MAX_SIZE

CONNECTIONS = frozenset({"backupDestinations", "events"})
LISTS_BY_ID = {"nodes": "ids"}
MAX_REPEATED_NAMES = 60
"""How often names may repeat within the selections of one document; validation compares every pair of them."""


class LimitExceeded(Exception):
    """A document asks for more than one may; `str()` says what and how much is allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one document and one socket may ask for."""

    depth: int = 15
    aliases: int = 30
    root_fields: int = 20
    directives: int = 50
    tokens: int = 2_000
    document_bytes: int = 65_536
    cost: int = 5_000
    execution_s: float = 10.0
    subscriptions: int = 100


def check_size(document: DocumentNode, operation: OperationDefinitionNode, limits: Limits) -> None:
    """Raise `LimitExceeded` for too many aliases, directives, root fields or repeated names, or too great a depth."""
    fragments = fragments_of(document)
    aliases = directives = repeated = 0
    for selections in _selection_sets(document):
        names: dict[str, int] = {}
        for node in selections.selections:
            directives += len(node.directives or ())
            name = node.name.value if isinstance(node, FieldNode | FragmentSpreadNode) else ""
            if isinstance(node, FieldNode) and node.alias is not None:
                aliases += 1
                name = node.alias.value
            repeated += name in names
            names[name] = 1
    directives += sum(len(getattr(definition, "directives", None) or ()) for definition in document.definitions)
    _require(aliases, limits.aliases, "aliases")
    _require(directives, limits.directives, "directives")
    _require(repeated, MAX_REPEATED_NAMES, "repeated fields")
    _require(_depth(operation, fragments, limits.depth), limits.depth, "levels of fields")
    _require(_width(operation.selection_set, fragments, set()), limits.root_fields, "root fields")


def cost_of(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
    """What an operation costs: a field is 1, what is inside a list times its size; a fragment counts once."""
    fragments = fragments_of(document)
    seen: set[str] = set()

    def inside(selections: SelectionSetNode | None) -> int:
        total = 0
        for node in () if selections is None else selections.selections:
            if isinstance(node, FieldNode):
                total += 1 + _multiplier(node, variables) * inside(node.selection_set)
            elif isinstance(node, InlineFragmentNode):
                total += inside(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = fragments.get(node.name.value)
                total += inside(fragment.selection_set) if fragment is not None else 0
        return total

    return inside(operation.selection_set)


def require_cost(cost: int, limits: Limits) -> None:
    """Raise `LimitExceeded` when an operation costs more than one may."""
    if cost > limits.cost:
        raise LimitExceeded(f"The operation costs {cost}, and {limits.cost} is allowed; ask for smaller pages.")


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragments of a document by name."""
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def selected_names(document: DocumentNode) -> set[str]:
    """The names of all fields a document selects anywhere."""
    nodes = (node for selections in _selection_sets(document) for node in selections.selections)
    return {node.name.value for node in nodes if isinstance(node, FieldNode)}


def _require(count: int, allowed: int, what: str) -> None:
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


def _width(selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], seen: set[str]) -> int:
    width = 0
    for node in selections.selections:
        if isinstance(node, FieldNode):
            width += 1
        elif isinstance(node, InlineFragmentNode):
            width += _width(node.selection_set, fragments, seen)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
            seen.add(node.name.value)
            fragment = fragments.get(node.name.value)
            width += _width(fragment.selection_set, fragments, seen) if fragment is not None else 0
    return width


def _multiplier(node: FieldNode, variables: Mapping[str, Any]) -> int:
    name = node.name.value
    arguments = {argument.name.value: argument.value for argument in node.arguments or ()}
    if name in CONNECTIONS:
        sizes = [_integer(arguments[size], variables) for size in ("first", "last") if size in arguments]
        given = [size for size in sizes if size is not None]
        return min(max(given, default=DEFAULT_SIZE), MAX_SIZE)
    if name in LISTS_BY_ID:
        value = arguments.get(LISTS_BY_ID[name])
        ids = variables.get(value.name.value) if isinstance(value, VariableNode) else value
        listed = ids.values if isinstance(ids, ListValueNode) else ids
        return min(len(listed), MAX_SIZE) if isinstance(listed, list | tuple) else 1
    return 1


def _integer(value: ValueNode, variables: Mapping[str, Any]) -> int | None:
    if isinstance(value, VariableNode):
        found = variables.get(value.name.value)
        return found if isinstance(found, int) else None
    return int(value.value) if isinstance(value, IntValueNode) and len(value.value) < 12 else None
