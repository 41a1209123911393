"""The size of an answer, known before it is made: the most bytes that the fields of an operation may take in JSON.

Text counts by the length that its column may have, lists by their pages, and introspection by what the schema says. A
field that an object shows under several keys with the same arguments makes an answer of copies: each copy counts ten
times, which keeps such answers below a tenth of the limit. So does every page of one list but the largest, whatever its
arguments, where another one may show the same rows: all copies of an answer have at most a tenth of the limit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from graphql import (
    EnumValueNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_enum_type,
    is_object_type,
)

from models.destinations.attributes import MAX_LENGTHS, Attribute
from models.grants.access import MAX_BYTES_OF_KEYS, MAX_KEY_BYTES, MAX_REQUESTS
from schema.documents.document_limits import LimitExceeded, fragments_of
from schema.execution.cost import CONNECTIONS, LISTS_BY_ID, Costs, OperationCost, values_of
from schema.execution.introspection import ROOT_FIELDS, Introspection
from schema.execution.introspection_size import IntrospectionSizes, Selected
from schema.types.names import PATHS

COPY_WEIGHT = 10
_LISTS = frozenset({*CONNECTIONS, *LISTS_BY_ID})
"""Fields whose pages may show the same rows by different arguments."""
_ENVELOPE = '{"data":}'
BYTES_PER_CHARACTER = 4
"""Of UTF-8, at most."""
_SCALARS = {"ID": 45, "Int": 11, "Float": 24, "Boolean": 5, "DateTime": 22}
_OTHER_TEXT = 100
"""Sentences of the gateway."""
_TEXT = 255 * BYTES_PER_CHARACTER
_CURSORS = frozenset({"cursor", "startCursor", "endCursor"})
_LABEL_CURSOR = 1_400
"""A cursor in the order of labels has the label in it, encoded."""
_TEXTS: Mapping[tuple[str, str], int] = {
    ("CheckStep", "remedy"): 45,
    ("CheckStep", "storeCode"): 5,
    ("CheckStep", "field"): 3,
    ("CheckReport", "documentation"): 45,
    ("CheckStep", "code"): 4,
    ("CheckSuggestion", "region"): 64,
    ("BackupDestinationAccessGranted", "keys"): 2 * MAX_BYTES_OF_KEYS // MAX_REQUESTS,
    ("BackupDestinationAccessGranted", "prefix"): 2 * MAX_KEY_BYTES,
    ("PresignedRequest", "key"): 2 * MAX_KEY_BYTES,
    ("PresignedRequest", "url"): 3 * MAX_KEY_BYTES + 3_800,
    ("PresignedHeader", "name"): 16,
    ("User", "name"): _TEXT,
    ("User", "email"): _TEXT,
    ("PageInfo", "startCursor"): 80,
    ("PageInfo", "endCursor"): 80,
}
"""Of ten steps one fails, and has the remedy, the code and the field for all. JSON may escape all of a key."""
_NAMES: Mapping[str, int] = {
    "tokenName": _TEXT,
    "kindName": 30,
    "version": 13,
    "cursor": 80,
    **{
        PATHS[attribute][-1]: length * (1 if attribute is Attribute.CERTIFICATE_AUTHORITIES else BYTES_PER_CHARACTER)
        for attribute, length in MAX_LENGTHS.items()
    },
}
"""Texts by the names of their fields, whatever their type: attributes of a destination by what they may be long."""
_LENGTHS = {
    "steps": 10,
    "violations": 20,
    "changedFields": 15,
    "keys": MAX_REQUESTS,
    "requests": MAX_REQUESTS,
    "operations": 10,
    "abilities": 10,
    "headers": 3,
}
"""Of lists that the cost does not count as such."""


class AnswerSize(OperationCost):
    """The most bytes that the answer to one operation may have, by its variables."""

    def require(self, most: int, variables: Mapping[str, Any]) -> None:
        """Raise `LimitExceeded` when it may have more than `most`."""
        size = self.of(variables)
        if size > most:
            message = (
                f"The answer may have {size} bytes, and {most} are allowed; ask for smaller pages or fewer fields."
            )
            raise LimitExceeded(message)

    def compute(self, variables: Mapping[str, Any]) -> int:
        """The size, computed anew."""
        values = values_of(self.operation, variables)
        sizes = _Sizes(self.schema, fragments_of(self.document), values)
        root = self.schema.get_root_type(self.operation.operation)
        return len(_ENVELOPE) + round(sizes.bytes_of(self.operation.selection_set, root))


class _Shown(NamedTuple):
    """What a response key of an object shows."""

    name: str
    arguments: str
    """The same text for the same values."""
    fixed: float
    """Its bytes but for those of the objects in it."""
    length: float = 1
    """How many objects there are in it."""
    objects: Mapping[str, _Object] = MappingProxyType({})
    """What is selected of them, by their type; empty for a leaf."""
    kinds: frozenset[str] = frozenset()
    """Those that a page is limited to, where the document says which; empty where it may show any."""

    @property
    def size(self) -> float:
        """In bytes; of objects that may be of several types, those of the largest."""
        return self.fixed + self.length * (1 + max((each.size for each in self.objects.values()), default=-1.0))

    def joined(self, other: _Shown) -> _Shown:
        """With what is selected of it once more: an object shows both."""
        if not self.objects:
            return other
        objects = {name: each.joined(other.objects[name]) for name, each in self.objects.items()}
        return self._replace(objects=objects, fixed=max(self.fixed, other.fixed))


class _Object:
    """What is selected of an object, by response key."""

    __slots__ = ("_size", "shown")

    def __init__(self, shown: Mapping[str, _Shown]) -> None:
        self.shown = shown
        self._size: float | None = None

    def joined(self, other: _Object) -> _Object:
        """An object with what is selected of either."""
        shown = dict(self.shown)
        for key, each in other.shown.items():
            _add(shown, key, each)
        return _Object(shown)

    @property
    def size(self) -> float:
        """All of it, in bytes; the second and every further copy of a field counts more."""
        if self._size is None:
            found = 2.0
            seen: set[tuple[str, str]] = set()
            pages: defaultdict[str, list[_Shown]] = defaultdict(list)
            for each in self.shown.values():
                if each.name in _LISTS:
                    pages[each.name].append(each)
                    continue
                is_copy = (each.name, each.arguments) in seen
                found += each.size * (COPY_WEIGHT if is_copy else 1)
                seen.add((each.name, each.arguments))
            found += sum(map(_size_of_pages, pages.values()))
            self._size = found
        return self._size


class _Introspected(_Object):
    """What is selected of the schema by one field at the root."""

    __slots__ = ("_node", "_selected", "_sizes")

    def __init__(self, sizes: IntrospectionSizes, node: FieldNode, selected: Selected) -> None:
        super().__init__({})
        self._sizes = sizes
        self._node = node
        self._selected = selected

    def joined(self, other: _Object) -> _Object:
        """With what is selected by the same field once more."""
        more = other._selected if isinstance(other, _Introspected) else ()
        return _Introspected(self._sizes, self._node, (*self._selected, *more))

    @property
    def size(self) -> float:
        """In bytes."""
        if self._size is None:
            self._size = float(self._sizes.of(self._node, self._selected))
        return self._size


def _size_of_pages(pages: Sequence[_Shown]) -> float:
    """Pages of one list, in bytes: those count more whose rows a larger one may show."""
    larger: list[_Shown] = []
    found = 0.0
    for page in sorted(pages, key=lambda each: each.size, reverse=True):
        is_apart = all(page.kinds and each.kinds and page.kinds.isdisjoint(each.kinds) for each in larger)
        found += page.size * (1 if is_apart else COPY_WEIGHT)
        larger.append(page)
    return found


def _add(shown: dict[str, _Shown], key: str, other: _Shown) -> None:
    """Add what a key shows."""
    known = shown.get(key)
    shown[key] = other if known is None else known.joined(other)


def _text(value: ValueNode) -> str:
    """A literal or a variable, without what the document has between its tokens."""
    match value:
        case VariableNode():
            return f"${value.name.value}"
        case ListValueNode():
            return f"[{' '.join(map(_text, value.values))}]"
        case ObjectValueNode():
            return f"{{{' '.join(sorted(f'{each.name.value}:{_text(each.value)}' for each in value.fields))}}}"
        case StringValueNode():
            return repr(value.value)
        case _:
            return str(getattr(value, "value", None))


def _arguments(node: FieldNode) -> str:
    """The same text for the same arguments."""
    return " ".join(sorted(f"{each.name.value}:{_text(each.value)}" for each in node.arguments or ()))


def _kinds(node: FieldNode) -> frozenset[str]:
    """The kinds to which the filter of a list limits it, where they are literals."""
    filters = [each.value for each in node.arguments or () if each.name.value == "filter"]
    fields = [field for each in filters if isinstance(each, ObjectValueNode) for field in each.fields]
    for value in (field.value for field in fields if field.name.value == "kinds"):
        kinds = value.values if isinstance(value, ListValueNode) else (value,)
        if all(isinstance(kind, EnumValueNode) for kind in kinds):
            return frozenset(_text(kind) for kind in kinds)
    return frozenset()


def _shows_cursor(objects: Mapping[str, _Object]) -> bool:
    shown = [each for selected in objects.values() for each in selected.shown.values()]
    return any(each.name in _CURSORS or _shows_cursor(each.objects) for each in shown)


class _Sizes(Costs):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._objects: dict[tuple[int, str], _Object] = {}
        self._introspection: IntrospectionSizes | None = None

    def bytes_of(self, selections: SelectionSetNode | None, type_: GraphQLNamedType | None) -> float:
        """The most bytes that an object of `type_` takes with these selections."""
        return max((each.size for each in self._objects_of(selections, type_).values()), default=0.0)

    def _objects_of(self, selections: SelectionSetNode | None, type_: GraphQLNamedType | None) -> Mapping[str, _Object]:
        """What is selected of an object of each type that `type_` may stand for."""
        if selections is None or type_ is None:
            return {}
        concrete = self.schema.get_possible_types(type_) if is_abstract_type(type_) else (type_,)
        return {each.name: self._object(selections, each) for each in concrete}

    def _object(self, selections: SelectionSetNode, type_: GraphQLNamedType) -> _Object:
        key = (id(selections), type_.name)
        found = self._objects.get(key)
        if found is None:
            shown: dict[str, _Shown] = {}
            for node in selections.selections:
                if isinstance(node, FieldNode):
                    _add(shown, node.name.value if node.alias is None else node.alias.value, self._field(node, type_))
                    continue
                inner_set = self._spread(node, type_)
                if inner_set is not None:
                    for each, other in self._object(inner_set, type_).shown.items():
                        _add(shown, each, other)
            found = self._objects[key] = _Object(shown)
        return found

    def _field(self, node: FieldNode, type_: GraphQLNamedType) -> _Shown:
        arguments = _arguments(node)
        key = len((node.alias or node.name).value)
        if node.selection_set is None:
            return _Shown(node.name.value, arguments, key + 4 + self._leaf(node, type_))
        if node.name.value in ROOT_FIELDS:
            objects: Mapping[str, _Object] = {"": _Introspected(self._of_schema(), node, (node.selection_set,))}
            return _Shown(node.name.value, arguments, key + 6, 1, objects)
        objects = self._objects_of(node.selection_set, self.type_of(node, type_))
        fixed = key + 6 + self._cursors(node, objects)
        return _Shown(node.name.value, arguments, fixed, self._length(node), objects, _kinds(node))

    def _of_schema(self) -> IntrospectionSizes:
        if self._introspection is None:
            introspection = Introspection.of(self.schema)
            self._introspection = IntrospectionSizes(
                introspection, self.fragments, _arguments, self.value, copy_weight=COPY_WEIGHT
            )
        return self._introspection

    def _spread(self, node: object, type_: GraphQLNamedType) -> SelectionSetNode | None:
        """The selections of a fragment; None where it is not for that type."""
        if isinstance(node, FragmentSpreadNode):
            fragment = self.fragments[node.name.value]
            return fragment.selection_set if self.applies(fragment.type_condition, type_) else None
        if isinstance(node, InlineFragmentNode) and self.applies(node.type_condition, type_):
            return node.selection_set
        return None

    def _leaf(self, node: FieldNode, type_: GraphQLNamedType) -> float:
        name = node.name.value
        field = self.schema.get_field(type_, name) if is_object_type(type_) else None
        if field is None:
            return _OTHER_TEXT
        named = get_named_type(field.type)
        size = _TEXTS.get((type_.name, name))
        if size is None and named.name == "String":
            size = _NAMES.get(name)
        if size is None:
            size = _SCALARS.get(named.name, _OTHER_TEXT)
            if is_enum_type(named):
                size = 2 + max(map(len, named.values))
        return size * self._length(node)

    def _length(self, node: FieldNode) -> float:
        return _LENGTHS.get(node.name.value) or self.length(node)

    def _cursors(self, node: FieldNode, objects: Mapping[str, _Object]) -> float:
        """What an order adds to the cursors of a page, where any is selected."""
        is_ordered = any(argument.name.value == "orderBy" for argument in node.arguments or ())
        return _LABEL_CURSOR * self.length(node) if is_ordered and _shows_cursor(objects) else 0
