"""What the schema says of itself, projected on what an operation selects of it.

graphql-core resolves and completes introspection field by field, some 20 µs each, and never lets go of the event loop.
Here each object of introspection is read from graphql-core's own resolvers once per process, and what one selection
shows of one object is made once per operation, however often the object is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_argument_values,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    located_error,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetails
from graphql.pyutils import Path
from graphql.type.introspection import SchemaMetaFieldDef, TypeMetaFieldDef, TypeNameMetaFieldDef, introspection_types

ROOT_FIELDS = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}
"""The fields of introspection at the root of a query that have selections."""
TYPENAME = "__typename"
MAX_FAILURES = 10
"""Of fields that become null by their arguments; one more makes the whole answer null."""
_SCHEMA: Any = introspection_types["__Schema"]
_TYPE: Any = introspection_types["__Type"]
_EXTENSION = "moorings-introspection"
CURRENT = "current "
"""Before the name of a list that is asked for without what is deprecated."""


class Described:
    """One object of introspection, as a type or an argument of a field, and what its fields show, as far as known.

    Leaves are JSON; objects and lists of objects are `Described` ones.
    """

    __slots__ = ("shown", "source", "type")

    def __init__(self, type_: GraphQLObjectType, source: Any) -> None:
        self.type = type_
        self.source = source
        self.shown: dict[str, Any] = {TYPENAME: type_.name}


class Introspection:
    """The objects of introspection of one schema, each made when it is asked for first."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._types: dict[str, Described] = {}
        self.schema = Described(_SCHEMA, schema)

    @classmethod
    def of(cls, schema: GraphQLSchema) -> Introspection:
        """The one of this schema, kept with it."""
        found = schema.extensions.get(_EXTENSION)
        if not isinstance(found, cls):
            found = schema.extensions[_EXTENSION] = cls(schema)
        return found

    def type_named(self, name: str) -> Described | None:
        """A type of the schema; None if it has none of that name."""
        type_ = self._schema.get_type(name)
        return None if type_ is None else self._described(_TYPE, type_)

    def read(self, described: Described, slot: str) -> Any:
        """What a field shows, by its name, or its name behind `CURRENT`."""
        shown = described.shown
        if slot not in shown:
            name = slot.removeprefix(CURRENT)
            if name not in shown:
                shown[name] = self._resolve(described, name)
            if slot != name:
                everything = shown[name]
                shown[slot] = everything and tuple(
                    each for each in everything if self.read(each, "deprecationReason") is None
                )
        return shown[slot]

    def _resolve(self, described: Described, name: str) -> Any:
        field = described.type.fields[name]
        resolve: Callable[..., Any] = field.resolve
        arguments = {"includeDeprecated": True} if field.args else {}
        value = resolve(described.source, SimpleNamespace(schema=self._schema), **arguments)
        named: Any = get_named_type(field.type)
        complete: Callable[[Any], Any] = named.coerce_output_value if is_leaf_type(named) else self._describing(named)
        if value is None:
            return None
        return tuple(map(complete, value)) if _is_list(field.type) else complete(value)

    def _describing(self, type_: GraphQLObjectType) -> Callable[[Any], Described]:
        return lambda source: self._described(type_, source)

    def _described(self, type_: GraphQLObjectType, source: Any) -> Described:
        """Types are shown in many places, and are the same where they are written the same."""
        if type_ is not _TYPE:
            return Described(type_, source)
        found = self._types.get(str(source))
        if found is None:
            found = self._types[str(source)] = Described(type_, source)
        return found


class _Plan:
    """What is selected of the objects in a field, and what it shows of each."""

    __slots__ = ("details", "fields", "made", "type")

    def __init__(self, type_: GraphQLObjectType, details: list[FieldDetails]) -> None:
        self.type = type_
        self.details = details
        self.fields: Sequence[_Field] | None = None  # until an object is shown
        self.made: dict[Described, dict[str, Any]] = {}


class _Field:
    """A field of a plan: a leaf has no plan of its own."""

    __slots__ = ("definition", "details", "key", "plan", "slot")

    def __init__(self, key: str, definition: GraphQLField, details: list[FieldDetails], plan: _Plan | None) -> None:
        self.key = key
        self.definition = definition
        self.details = details
        self.plan = plan
        self.slot = None if definition.args else details[0].node.name.value
        """None until the arguments are known."""


class Projection:
    """Answers the introspection of one operation."""

    def __init__(self, introspection: Introspection, executor: Executor[Any]) -> None:
        self._introspection = introspection
        self._executor = executor
        self._plans: dict[tuple[int, ...], _Plan] = {}
        self._root: Path = Path(None, "", None)
        self._path: list[str | int] = []
        self._failures = 0

    def answer(self, details: list[FieldDetails], path: Path) -> Any:
        """What one of `ROOT_FIELDS` shows; raises `GraphQLError` as executing it does."""
        self._root, self._path = path, []
        name = details[0].node.name.value
        described: Described | None = self._introspection.schema
        if name == "__type":
            arguments = self._arguments(TypeMetaFieldDef, details[0])
            described = self._introspection.type_named(arguments["name"])
        if described is None:
            return None
        return self._object(self._plan(described.type, details), described)

    def _plan(self, type_: GraphQLObjectType, details: list[FieldDetails]) -> _Plan:
        key = tuple(id(each.node) for each in details)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = _Plan(type_, details)
        return plan

    def _fields(self, plan: _Plan) -> Sequence[_Field]:
        grouped = self._executor.collect_subfields(plan.type, plan.details).grouped_field_set
        plan.fields = fields = [self._field(plan.type, key, details) for key, details in grouped.items()]
        return fields

    def _field(self, parent: GraphQLObjectType, key: str, details: list[FieldDetails]) -> _Field:
        name = details[0].node.name.value
        definition = TypeNameMetaFieldDef if name == TYPENAME else parent.fields[name]
        named = get_named_type(definition.type)
        plan = self._plan(named, details) if isinstance(named, GraphQLObjectType) else None
        return _Field(key, definition, details, plan)

    def _object(self, plan: _Plan, described: Described) -> dict[str, Any]:
        made = plan.made.get(described)
        if made is not None:
            return made
        failures = self._failures
        shown, made = described.shown, {}
        for field in plan.fields if plan.fields is not None else self._fields(plan):
            if field.plan is not None:
                made[field.key] = self._objects(field, field.plan, described)
            elif field.slot in shown:
                made[field.key] = shown[field.slot]
            else:
                made[field.key] = self._introspection.read(described, str(field.slot))
        if failures == self._failures:  # the next place that shows it has errors of its own
            plan.made[described] = made
        return made

    def _objects(self, field: _Field, plan: _Plan, described: Described) -> Any:
        """The object or the objects that a field shows, or null."""
        depth = len(self._path)
        self._path.append(field.key)
        value: Any = None
        try:
            shown = self._introspection.read(described, field.slot or self._slot(field))
            if isinstance(shown, tuple):
                value = []
                for number, each in enumerate(shown):
                    known = plan.made.get(each)
                    if known is None:
                        self._path.append(number)
                        known = self._object(plan, each)
                        self._path.pop()
                    value.append(known)
            elif shown is not None:
                value = self._object(plan, shown)
        except GraphQLError as raw:
            error = located_error(raw, _nodes(field.details), [*self._root.as_list(), *self._path])
            del self._path[depth + 1 :]
            if is_non_null_type(field.definition.type) or self._failures >= MAX_FAILURES:
                raise error from raw.original_error
            self._failures += 1
            self._executor.collected_errors.add(error, self._here())
            value = None
        self._path.pop()
        return value

    def _slot(self, field: _Field) -> str:
        """The list with what is deprecated, or without it."""
        name = field.details[0].node.name.value
        arguments = self._arguments(field.definition, field.details[0])
        field.slot = name if arguments["includeDeprecated"] else CURRENT + name
        return field.slot

    def _arguments(self, definition: GraphQLField, details: FieldDetails) -> dict[str, Any]:
        executor = self._executor
        return get_argument_values(
            definition,
            details.node,
            executor.variable_values,
            details.fragment_variable_values,
            executor.hide_suggestions,
        )

    def _here(self) -> Path:
        path = self._root
        for key in self._path:
            path = path.add_key(key)
        return path


def _nodes(details: list[FieldDetails]) -> list[FieldNode]:
    return [each.node for each in details]


def _is_list(type_: GraphQLOutputType) -> bool:
    return is_list_type(type_.of_type if is_non_null_type(type_) else type_)
