"""The size of an answer about the schema: what it says is known, so the size is, but for what variables leave out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
)

from schema.execution.introspection import CURRENT, Described, Introspection

Selected = tuple[SelectionSetNode, ...]
LISTS = frozenset({"fields", "args", "inputFields", "enumValues"})
"""Those that leave out what is deprecated unless it is asked for."""


class _Field(NamedTuple):
    key: int
    """Its length."""
    slot: str
    weight: int
    selected: Selected
    """Empty for a leaf."""


class IntrospectionSizes:
    """Measures what selections show of the schema, in bytes of JSON.

    `arguments` writes the arguments of a field as text, and `value` looks up a variable. The second field of an object
    that shows the same counts `copy_weight` times.
    """

    def __init__(
        self,
        introspection: Introspection,
        fragments: Mapping[str, FragmentDefinitionNode],
        arguments: Callable[[FieldNode], str],
        value: Callable[[ValueNode], Any],
        *,
        copy_weight: int,
    ) -> None:
        self._introspection = introspection
        self._fragments = fragments
        self._arguments = arguments
        self._value = value
        self._copy_weight = copy_weight
        self._plans: dict[tuple[int, ...], tuple[Sequence[_Field], dict[Described, int]]] = {}
        self._leaves: dict[tuple[int, str], int] = {}

    def of(self, node: FieldNode, selected: Selected) -> int:
        """The size of what a field at the root shows."""
        described: Described | None = self._introspection.schema
        if node.name.value == "__type":
            given = next((self._value(each.value) for each in node.arguments or () if each.name.value == "name"), None)
            name = given.value if isinstance(given, StringValueNode) else given
            described = self._introspection.type_named(name) if isinstance(name, str) else None
        return 4 if described is None else self._object(selected, described)

    def _plan(self, selected: Selected) -> tuple[Sequence[_Field], dict[Described, int]]:
        key = tuple(map(id, selected))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = (self._fields(selected), {})
        return plan

    def _object(self, selected: Selected, described: Described) -> int:
        fields, known = self._plan(selected)
        size = known.get(described)
        if size is None:
            size = known[described] = self._all(fields, (described,))
        return size

    def _all(self, fields: Sequence[_Field], objects: tuple[Described, ...]) -> int:
        """The size of all of them, without what is between them."""
        size = len(objects) * (2 + sum(field.key + 4 for field in fields))
        for field in fields:
            if field.selected:
                size += field.weight * sum(self._shown(field, each) for each in objects)
            else:
                size += field.weight * self._leaves_of(objects, field.slot)
        return size

    def _leaves_of(self, objects: tuple[Described, ...], slot: str) -> int:
        """The size of one leaf of each; those of a list are measured once, however often they are selected."""
        if len(objects) == 1:
            return len(orjson.dumps(self._introspection.read(objects[0], slot)))
        key = (id(objects), slot)
        size = self._leaves.get(key)
        if size is None:
            size = sum(len(orjson.dumps(self._introspection.read(each, slot))) for each in objects)
            self._leaves[key] = size
        return size

    def _shown(self, field: _Field, described: Described) -> int:
        value = self._introspection.read(described, field.slot)
        if isinstance(value, tuple):
            return 2 + len(value) + self._all(self._plan(field.selected)[0], value)
        return 4 if value is None else self._object(field.selected, value)

    def _fields(self, selected: Selected) -> Sequence[_Field]:
        """What an object shows, whatever the conditions are."""
        found: dict[str, list[FieldNode]] = {}
        seen: set[str] = set()
        for selections in selected:
            for node in self._nodes(selections, seen):
                found.setdefault((node.alias or node.name).value, []).append(node)
        copied: set[tuple[str, str]] = set()
        fields = []
        for key, nodes in found.items():
            shown = nodes[0].name.value, self._arguments(nodes[0])
            sets = tuple(node.selection_set for node in nodes if node.selection_set is not None)
            weight = self._copy_weight if shown in copied else 1
            fields.append(_Field(len(key), _slot(nodes[0]), weight, sets))
            copied.add(shown)
        return fields

    def _nodes(self, selections: SelectionSetNode, seen: set[str]) -> Iterator[FieldNode]:
        """The fields of selections and of the fragments in them, which in a valid document are for the same type."""
        for node in selections.selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._nodes(node.selection_set, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                yield from self._nodes(self._fragments[node.name.value].selection_set, seen)


def _slot(node: FieldNode) -> str:
    """Where `Introspection.read` finds what a field shows: everything, if a variable decides."""
    name = node.name.value
    asked = [argument.value for argument in node.arguments or () if argument.name.value == "includeDeprecated"]
    leaves_out = all(isinstance(value, BooleanValueNode) and not value.value for value in asked)
    return CURRENT + name if name in LISTS and leaves_out else name
