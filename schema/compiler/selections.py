"""The fields of one object type that an operation selects, merged by response key, each with its condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
)

MAX_COLLECTED = 1_000
"""Selections that are visited for one operation, each time a fragment is spread. Fragments that spread each other make
millions of them from a short document; an operation beyond this is executed by graphql-core, which visits only what the
response has."""

Condition = frozenset[tuple[str, bool]]
"""Variables of `@skip` and `@include`, each with the value it must have; empty means always."""
ALWAYS: Condition = frozenset()


class NotCompilable(Exception):
    """The operation has a part that only graphql-core executes; `str()` says which."""


@dataclass(slots=True, kw_only=True)
class Selected:
    """One response key: its field, its condition, and the selection sets below it."""

    node: FieldNode
    condition: Condition
    below: list[SelectionSetNode] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The field's name."""
        return self.node.name.value


class Selections:
    """Collects the fields of one operation, as CollectFields of the specification (6.3.2) does."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments
        self._collected = 0
        self.tested: set[str] = set()
        """The variables of all conditions; null is refused in each, even where no field depends on it."""

    def of(self, type_: GraphQLObjectType, sets: Iterable[SelectionSetNode]) -> dict[str, Selected]:
        """The fields of that type by response key, in the order of the response; raises `NotCompilable`."""
        found: dict[str, Selected] = {}
        seen: dict[str, Condition] = {}
        for set_ in sets:
            self._collect(type_, set_, ALWAYS, found, seen)
        return found

    def _collect(
        self,
        type_: GraphQLObjectType,
        set_: SelectionSetNode,
        outer: Condition,
        found: dict[str, Selected],
        seen: dict[str, Condition],
    ) -> None:
        self._collected += len(set_.selections)
        if self._collected > MAX_COLLECTED:
            raise NotCompilable("more selections than are compiled")
        for node in set_.selections:
            condition = self._condition(node.directives or (), outer)
            if condition is None:
                continue
            if isinstance(node, FieldNode):
                _add(found, node, condition)
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or self._applies(node.type_condition.name.value, type_):
                    self._collect(type_, node.selection_set, condition, found, seen)
            elif isinstance(node, FragmentSpreadNode):
                self._spread(type_, node.name.value, condition, found, seen)

    def _spread(
        self,
        type_: GraphQLObjectType,
        name: str,
        condition: Condition,
        found: dict[str, Selected],
        seen: dict[str, Condition],
    ) -> None:
        """Collect a fragment once; raises `NotCompilable` if it depends on a variable whether it is the first time."""
        if name in seen:
            if seen[name] or condition:
                raise NotCompilable("a fragment under several conditions")
            return
        seen[name] = condition
        fragment = self._fragments[name]
        if self._applies(fragment.type_condition.name.value, type_):
            self._collect(type_, fragment.selection_set, condition, found, seen)

    def _condition(self, directives: Iterable[DirectiveNode], outer: Condition) -> Condition | None:
        """The condition with what `@skip` and `@include` add to it; None means never."""
        condition: Condition | None = outer
        for directive in directives:
            name = directive.name.value
            if name not in ("skip", "include"):
                raise NotCompilable("a directive other than @skip and @include")
            value, wanted = (directive.arguments or ())[0].value, name == "include"
            if isinstance(value, VariableNode):
                self.tested.add(value.name.value)
                condition = None if condition is None else condition | {(value.name.value, wanted)}
            elif isinstance(value, BooleanValueNode) and value.value is not wanted:
                condition = None
        return condition

    def _applies(self, name: str, type_: GraphQLObjectType) -> bool:
        condition = self._schema.type_map[name]
        return condition is type_ or type_ in self._schema.get_possible_types(condition)  # type: ignore[arg-type] # composite, or the document were not valid


def _add(found: dict[str, Selected], node: FieldNode, condition: Condition) -> None:
    key = node.name.value if node.alias is None else node.alias.value
    selected = found.setdefault(key, Selected(node=node, condition=condition))
    if selected.condition != condition:
        raise NotCompilable("one key under different conditions")
    if node.selection_set is not None:
        selected.below.append(node.selection_set)
