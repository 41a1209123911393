"""What an operation may cost: a field is 1, and what is inside a list counts once for each of its items."""

from __future__ import annotations

from collections.abc import Mapping
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
from schema.execution.document_limits import LimitExceeded, fragments_of, selected_fields

MAX_KNOWN = 100
_ABSENT = object()
CONNECTIONS = frozenset({"backupDestinations", "events"})
LISTS_BY_ID = {"nodes": "ids"}
OF_THE_SCHEMA = {
    "types": 60,
    "directives": 6,
    "fields": 3,
    "args": 0.3,
    "inputFields": 0.5,
    "enumValues": 1,
    "interfaces": 0.5,
    "possibleTypes": 0.5,
    "ofType": 0.4,
}
"""How many there are on average where a tool asks for them: it asks every type for everything a type may have."""


class OperationCost:
    """What one valid operation costs with these variables or those; each combination of sizes is worked out once."""

    __slots__ = ("_document", "_known", "_operation", "_sizes")

    def __init__(self, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._document = document
        self._operation = operation
        self._sizes = tuple(sorted(_size_variables(document)))
        self._known: dict[tuple[Any, ...], int] = {}

    def require(self, most: int, variables: Mapping[str, Any]) -> None:
        """Raise `LimitExceeded` when it costs more than `most`."""
        cost = self.of(variables)
        if cost > most:
            raise LimitExceeded(f"The operation costs {cost}, and {most} is allowed; ask for smaller pages.")

    def of(self, variables: Mapping[str, Any]) -> int:
        """The cost with these variables."""
        sizes = tuple(variables.get(name, _ABSENT) for name in self._sizes)
        if not all(isinstance(size, int | None) or size is _ABSENT for size in sizes):
            return cost_of(self._document, self._operation, variables)
        cost = self._known.get(sizes)
        if cost is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            cost = self._known[sizes] = cost_of(self._document, self._operation, variables)
        return cost


def _size_variables(document: DocumentNode) -> set[str]:
    """The variables that say how long a list is."""
    sizing = {"first", "last", *LISTS_BY_ID.values()}
    return {
        argument.value.name.value
        for field in selected_fields(document)
        for argument in field.arguments or ()
        if argument.name.value in sizing and isinstance(argument.value, VariableNode)
    }


def cost_of(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
    """What a valid operation costs; a fragment is counted wherever it is spread, and looked through once."""
    return round(_Costs(fragments_of(document), _values(operation, variables)).of(operation.selection_set))


def _values(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables, those that were left out as the literals they default to."""
    defaults = {d.variable.name.value: d.default_value for d in operation.variable_definitions or () if d.default_value}
    return {**defaults, **variables}


class _Costs:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], values: Mapping[str, Any]) -> None:
        self._fragments = fragments
        self._values = values
        self._of_fragment: dict[str, float] = {}

    def of(self, selections: SelectionSetNode | None) -> float:
        """What these selections cost; a valid document has no cycle, and is not nested beyond reason."""
        total = 0.0
        for node in () if selections is None else selections.selections:
            if isinstance(node, FieldNode):
                total += 1 + self._multiplier(node) * self.of(node.selection_set)
            elif isinstance(node, InlineFragmentNode):
                total += self.of(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                total += self._fragment(node.name.value)
        return total

    def _fragment(self, name: str) -> float:
        if name not in self._of_fragment:
            self._of_fragment[name] = self.of(self._fragments[name].selection_set)
        return self._of_fragment[name]

    def _multiplier(self, node: FieldNode) -> float:
        name = node.name.value
        given = {argument.name.value: self._value(argument.value) for argument in node.arguments or ()}
        if name in CONNECTIONS:
            sizes = [size for size in (_size(given.get("first")), _size(given.get("last"))) if size is not None]
            return max(sizes, default=DEFAULT_SIZE)
        if name in LISTS_BY_ID:
            ids = given.get(LISTS_BY_ID[name])
            listed = ids.values if isinstance(ids, ListValueNode) else ids
            return min(len(listed), MAX_SIZE) if isinstance(listed, list | tuple) else 1
        return OF_THE_SCHEMA.get(name, 1)

    def _value(self, node: ValueNode) -> Any:
        return self._values.get(node.name.value) if isinstance(node, VariableNode) else node


def _size(value: Any) -> int | None:
    """The size of a page; a variable may be 100.0, and whatever is no size here is refused when it is used."""
    number = value.value if isinstance(value, IntValueNode) else value
    try:
        return None if isinstance(number, ValueNode) else min(max(int(number), 0), MAX_SIZE)
    except (ValueError, TypeError, OverflowError):
        return None
