"""Random valid queries for the fuzz of the compiler, written from the schema itself: a new field takes part unasked.

One key means one field with one set of arguments in the whole document, so that what is merged can be merged. Where no
trouble is wanted a key also comes under one condition only: anything else is graphql-core's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from graphql import GraphQLSchema, get_named_type, is_composite_type
from graphql.utilities import do_types_overlap

from tests.support.fuzz.random_arguments import ArgumentWriter
from tests.support.fuzz.random_values import Facts, Position, Role, Values, Variable

_ALIASES = (
    *("a", "b", "c", "x", "v", "r0", "w0", "None", "True", "class", "await", "lambda", "context", "values", "run"),
    *("__proto__", "_", "data", "errors", "load0", "nothing", "count", "Row", "__class__", "f", "g", "h", "i", "j"),
    *("label", "id", "region", "edges", "node", "viewer", "cursor", "name", "__typename", "totalCount", "kindName"),
)
"""Names that mean something in Python or in what the compiler writes, or are names of other fields."""
Condition = frozenset[tuple[str, str]]
ALWAYS: Condition = frozenset()


OF_ONE_REQUEST = frozenset({"token", "rateLimit", "latestEventId"})
"""Fields of the viewer that are not compiled."""
NOT_DRAWN = frozenset({"checks", "deletionImpact", "events"})
"""Fields of destinations that graphql-core alone executes, and that have tests of their own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """A document, the operation in it that is meant, and what a test wants to have seen in it."""

    text: str
    name: str | None
    variables: Sequence[Variable]
    features: frozenset[str]
    is_troubled: bool
    """Whether it may hold what only graphql-core does, or refuses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fragment:
    name: str
    type_: str
    condition: Condition
    text: str


class OperationWriter:
    """Writes one document."""

    def __init__(self, random: Random, schema: GraphQLSchema, facts: Facts) -> None:
        self._random = random
        self._core = schema
        self._is_troubled = random.random() < 0.2
        self._conditional = random.choice((0.0, 0.0, 0.15, 0.3))
        self._features: set[str] = set()
        values = Values(random=random, facts=facts, is_troubled=self._is_troubled, features=self._features)
        self._arguments = ArgumentWriter(values)
        self._aliases = [*random.sample(_ALIASES, len(_ALIASES)), *(f"z{number}" for number in range(99))]
        self._keys: dict[tuple[Any, ...], str] = {}
        self._arguments_of: dict[str, str] = {}
        self._fragments: list[_Fragment] = []
        self._left = random.choice((4, 8, 16, 32))

    def operation(self) -> Operation:
        """The document."""
        selections = self._selections("Query", ALWAYS)
        name = self._random.choice((None, "Fuzz"))
        head = "" if name is None and not self._arguments.variables else f"query {name or ''}"
        variables = ", ".join(variable.definition for variable in self._arguments.variables)
        definitions = [f"fragment {each.name} on {each.type_} {each.text}" for each in self._fragments]
        definitions.append(f"{head}{f'({variables})' if variables else ''} {selections}")
        if name is not None and self._random.random() < 0.3:
            self._features.add("several operations")
            definitions.append("query Other { viewer { email } }")
        self._random.shuffle(definitions)
        return Operation(
            text="\n".join(definitions),
            name=name,
            variables=self._arguments.variables,
            features=frozenset(self._features),
            is_troubled=self._is_troubled,
        )

    def _selections(self, type_: str, condition: Condition) -> str:
        parts = [self._part(type_, condition)]
        while self._left > 0 and self._random.random() < 0.75:
            parts.append(self._part(type_, condition))
        for key in {part.split()[0] for part in parts if not part.startswith("...")}:
            alike = [part for part in parts if part.split()[0] == key]
            if len(alike) > 1:
                self._features.add("merged selections" if "{" in alike[0] else "a merged leaf")
        return f"{{ {' '.join(parts)} }}"

    def _part(self, type_: str, condition: Condition) -> str:
        self._left -= 1
        chance = self._random.random()
        if chance < 0.1:
            return self._inline(type_, condition)
        return self._spread(type_, condition) if chance < 0.2 else self._field(type_, condition)

    def _inline(self, type_: str, condition: Condition) -> str:
        on = self._random.choice((None, *self._overlapping(type_)))
        directives, condition = self._directives("an inline fragment", condition)
        self._features.add("an inline fragment without a type" if on is None else f"an inline fragment on {on}")
        return f"...{f' on {on}' if on else ''}{directives} {self._selections(on or type_, condition)}"

    def _spread(self, type_: str, condition: Condition) -> str:
        """A named fragment, an old one or a new one; without trouble one under a condition is spread once."""
        overlapping = self._overlapping(type_)
        directives, condition = self._directives("a spread", condition)
        known = [each for each in self._fragments if each.type_ in overlapping]
        if not self._is_troubled:
            known = [each for each in known if each.condition == condition == ALWAYS]
        if known and self._random.random() < 0.5:
            self._features.add("a fragment spread twice")
            return f"...{self._random.choice(known).name}{directives}"
        on, before = self._random.choice(overlapping), len(self._fragments)
        text = self._selections(on, condition)
        nested = ["a fragment in a fragment"] if len(self._fragments) > before else []
        self._features.update([f"a fragment on {on}", *nested])
        name = f"F{len(self._fragments)}"
        self._fragments.append(_Fragment(name=name, type_=on, condition=condition, text=text))
        return f"...{name}{directives}"

    def _field(self, type_: str, condition: Condition) -> str:
        directives, condition = self._directives("a field", condition)
        if self._left < 0 or self._random.random() < 0.1:
            return f"{self._key('__typename', type_, 'String!', condition)}{directives}"
        fields: Mapping[str, Any] = self._core.type_map[type_].fields  # type: ignore[attr-defined] # it has them
        name = self._random.choice(self._names(type_, fields))
        if name == "__schema":
            self._features.add("Query.__schema")
            return f"__schema{directives} {{ queryType {{ name }} }}"
        field = fields[name]
        key = self._key(name, type_, str(field.type), condition)
        if field.args and key not in self._arguments_of:
            self._arguments_of[key] = self._arguments.of(name)
        text = key + (self._arguments_of[key] if field.args else "") + directives
        named = get_named_type(field.type)
        return f"{text} {self._selections(named.name, ALWAYS)}" if is_composite_type(named) else text

    def _names(self, type_: str, fields: Mapping[str, Any]) -> list[str]:
        """What may be selected; events, the schema and what belongs to one request are left to graphql-core."""
        if type_ == "User" and not self._is_troubled:
            return [name for name in fields if name not in OF_ONE_REQUEST]
        if type_ != "Query":
            names = [name for name in fields if name not in NOT_DRAWN]
            more = [*names, *(name for name in names if is_composite_type(get_named_type(fields[name].type)))]
            return [*more, *(["steps"] * 6 if type_ == "CheckReport" else ["name"] * 4 if type_ == "CheckStep" else [])]
        if any(feature.startswith("Query.") for feature in self._features):
            self._features.add("several roots")
        drawn = [name for name in fields if name != "checkJob"]
        if self._is_troubled:
            return [*drawn, "backupDestinations", "__schema"]
        return [*(name for name in drawn if name != "events"), "backupDestinations", "backupDestinations"]

    def _key(self, name: str, type_: str, shown: str, condition: Condition) -> str:
        """The field with the key that stands for it under this condition: its own name, or an alias."""
        self._features.add(f"{type_}.{name}")
        nth = self._random.choice((0, 0, 0, 0, 1, 2))
        identity = (name, shown, nth, ALWAYS if self._is_troubled else condition)
        if identity not in self._keys:
            free = [key for key in (*([name] if nth == 0 else []), *self._aliases) if key not in self._keys.values()]
            self._keys[identity] = free[0]
        if self._keys[identity] == name:
            return name
        self._features.add("an alias")
        return f"{self._keys[identity]}:{name}"

    def _overlapping(self, type_: str) -> list[str]:
        """The types that a fragment may be on where `type_` is selected from."""
        here: Any = self._core.type_map[type_]
        types: list[Any] = [each for each in self._core.type_map.values() if is_composite_type(each)]
        return [each.name for each in types if do_types_overlap(self._core, each, here)]

    def _directives(self, where: str, condition: Condition) -> tuple[str, Condition]:
        text = ""
        for name in self._random.sample(("skip", "include"), 2):
            if self._random.random() >= self._conditional:
                continue
            if self._random.random() < 0.4:
                self._features.add(f"@{name} with a literal on {where}")
                text += f" @{name}(if: {self._random.choice(('true', 'false'))})"
            else:
                self._features.add(f"@{name} with a variable on {where}")
                variable = self._arguments.variable(Role("condition"), Position.FIRM)
                condition |= {(variable, name)}
                text += f" @{name}(if: {variable})"
        return text, condition
