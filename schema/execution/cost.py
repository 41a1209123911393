"""The cost of an operation: 1 for each field, and for what is inside a list as many times as the list has items.

Where an object may be of several types, the most expensive type counts, since an object is of one of them alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_object_type,
)

from models.pagination import DEFAULT_SIZE, MAX_SIZE
from schema.documents.document_limits import LimitExceeded, fragments_of, selected_fields

MAX_KNOWN = 16
MAX_NAME_LENGTH = 80
"""Of a type, by whose name a size is known."""
_ABSENT = object()
CONNECTIONS = frozenset({"backupDestinations", "checks", "events"})
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
"""The average lengths of the lists in introspection, whose usual queries ask every type for everything."""


class OperationCost:
    """The cost of one valid operation by its variables; the cost of each combination of page sizes is computed once."""

    __slots__ = ("_known", "_sizes", "document", "operation", "schema")

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self.schema = schema
        self.document = document
        self.operation = operation
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
        if not all(map(_is_known_by, sizes)):
            return self.compute(variables)
        cost = self._known.get(sizes)
        if cost is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            cost = self._known[sizes] = self.compute(variables)
        return cost

    def compute(self, variables: Mapping[str, Any]) -> int:
        """The cost, computed anew."""
        return cost_of(self.schema, self.document, self.operation, variables)


def _is_known_by(value: Any) -> bool:
    """Whether a value takes little memory in a key."""
    if isinstance(value, str):
        return len(value) <= MAX_NAME_LENGTH
    return value is _ABSENT or isinstance(value, int | None)


def _size_variables(document: DocumentNode) -> set[str]:
    """The variables that set the length of a list, or name the type that is shown."""
    sizing = {"first", "last", *LISTS_BY_ID.values()}
    return {
        argument.value.name.value
        for field in selected_fields(document)
        for argument in field.arguments or ()
        if (argument.name.value in sizing or field.name.value == "__type") and isinstance(argument.value, VariableNode)
    }


def cost_of(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> int:
    """The cost of a valid operation; a fragment counts wherever it is spread, and is computed once per type."""
    costs = Costs(schema, fragments_of(document), values_of(operation, variables))
    return round(costs.of(operation.selection_set, schema.get_root_type(operation.operation)))


def values_of(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables, those that were left out as the literals they default to."""
    defaults = {d.variable.name.value: d.default_value for d in operation.variable_definitions or () if d.default_value}
    return {**defaults, **variables}


class Costs:
    """Computes the costs of the selections of one operation."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], values: Mapping[str, Any]
    ) -> None:
        self.schema = schema
        self.fragments = fragments
        self.values = values
        self._of_type: dict[tuple[int, str], float] = {}

    def of(self, selections: SelectionSetNode | None, type_: GraphQLNamedType | None) -> float:
        """The cost of these selections on an object of `type_`; a valid document has no cycle of fragments."""
        if selections is None or type_ is None:
            return 0.0
        concrete = self.schema.get_possible_types(type_) if is_abstract_type(type_) else (type_,)
        return max((self._of_concrete(selections, each) for each in concrete), default=0.0)

    def _of_concrete(self, selections: SelectionSetNode, type_: GraphQLNamedType) -> float:
        key = (id(selections), type_.name)
        cost = self._of_type.get(key)
        if cost is None:
            cost = self._of_type[key] = sum(self._of_node(node, type_) for node in selections.selections)
        return cost

    def _of_node(self, node: SelectionNode, type_: GraphQLNamedType) -> float:
        if isinstance(node, FieldNode):
            return 1 + self.length(node) * self.of(node.selection_set, self.type_of(node, type_))
        if isinstance(node, FragmentSpreadNode):
            fragment = self.fragments[node.name.value]
            applies = self.applies(fragment.type_condition, type_)
            return self._of_concrete(fragment.selection_set, type_) if applies else 0.0
        if isinstance(node, InlineFragmentNode) and self.applies(node.type_condition, type_):
            return self._of_concrete(node.selection_set, type_)
        return 0.0

    def type_of(self, node: FieldNode, type_: GraphQLNamedType) -> GraphQLNamedType | None:
        """The type of the objects of a field; None for one without selections."""
        if node.selection_set is None or not is_object_type(type_):
            return None
        field = self.schema.get_field(type_, node.name.value)
        return None if field is None else get_named_type(field.type)

    def applies(self, condition: NamedTypeNode | None, type_: GraphQLNamedType) -> bool:
        """Whether a type condition holds for an object of that type."""
        named = None if condition is None else self.schema.type_map[condition.name.value]
        return named is None or named is type_ or (is_abstract_type(named) and self.schema.is_sub_type(named, type_))

    def length(self, node: FieldNode) -> float:
        """The length of the list that a field is, on average or at most; 1 for a field that is none."""
        name = node.name.value
        given = {argument.name.value: self.value(argument.value) for argument in node.arguments or ()}
        if name in CONNECTIONS:
            sizes = [size for size in (_size(given.get("first")), _size(given.get("last"))) if size is not None]
            return max(sizes, default=DEFAULT_SIZE)
        if name in LISTS_BY_ID:
            ids = given.get(LISTS_BY_ID[name])
            listed = ids.values if isinstance(ids, ListValueNode) else ids
            return min(len(listed), MAX_SIZE) if isinstance(listed, list | tuple) else 1
        return OF_THE_SCHEMA.get(name, 1)

    def value(self, node: ValueNode) -> Any:
        """A literal, or the value of a variable."""
        return self.values.get(node.name.value) if isinstance(node, VariableNode) else node


def _size(value: Any) -> int | None:
    """The size of a page; a variable may be 100.0, and whatever is no size here is refused when it is used."""
    number = value.value if isinstance(value, IntValueNode) else value
    try:
        return None if isinstance(number, ValueNode) else min(max(int(number), 0), MAX_SIZE)
    except (ValueError, TypeError, OverflowError):
        return None
