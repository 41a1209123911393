"""Random arguments of the fields at the root: as literals, as variables, as literals with variables inside, or none."""

from __future__ import annotations

from typing import Any

from tests.support.fuzz.random_values import (
    DESCENDING,
    INPUTS,
    ITEMS,
    ORDERS,
    TYPES,
    UNORDERED,
    Position,
    Role,
    Values,
    Variable,
    literal,
)

ARGUMENTS = {
    "node": ("id",),
    "nodes": ("ids",),
    "backupDestination": ("id",),
    "backupDestinations": ("first", "after", "last", "before", "filter", "orderBy"),
    "events": ("first", "after", "last", "before", "filter"),
}
"""Every argument that is written here; the schema has no other."""


class ArgumentWriter:
    """Writes arguments, and keeps the variables they need."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._random = values.random
        self.variables: list[Variable] = []

    def of(self, field: str) -> str:
        """The arguments of one field, in parentheses; nothing when none is given."""
        match field:
            case "node" | "backupDestination":
                flavour = "node" if field == "node" else "destination"
                written = {"id": self._given(f"{field}(id)", Role("id", flavour), Position.FIRM)}
            case "nodes":
                written = {"ids": self._given("nodes(ids)", Role("ids", "node"), Position.FIRM)}
            case "backupDestinations":
                written = self._of_the_list()
            case _:
                written = self._window("event", (self._random.choice(("first", "last")),))
                if self._random.random() < 0.35:
                    written["filter"] = self._given("events(filter)", Role("event filter"), Position.NULLABLE)
        items = list(written.items())
        self._random.shuffle(items)
        return f"({', '.join(f'{name}: {text}' for name, text in items)})" if items else ""

    def variable(self, role: Role, position: Position) -> str:
        """A variable for that role, an old one or a new one."""
        alike = [each for each in self.variables if (each.role, each.position) == (role, position)]
        if alike and self._random.random() < 0.4:
            return f"${self._random.choice(alike).name}"
        name = f"v{len(self.variables)}"
        type_, default = self._declared(role, position)
        self.variables.append(Variable(name=name, role=role, position=position, type_=type_, default=default))
        return f"${name}"

    def _declared(self, role: Role, position: Position) -> tuple[str, str | None]:
        """A type and a default with which a variable may stand there."""
        type_, choice = TYPES[role.name], self._random.choice
        fitting = f"{literal(role, self._values.draw(role))}"
        required = (f"{type_}!", None)
        defaulted = [(f"{type_}!", fitting), (type_, fitting)]
        match position:
            case Position.FIRM:
                return choice([required, required, *defaulted])
            case Position.DEFAULTED:
                return choice([required, (type_, None), *defaulted])
            case Position.NULLABLE:
                return choice([required, (type_, None), (type_, None), (type_, "null"), *defaulted])

    def _of_the_list(self) -> dict[str, str]:
        order = self._random.choice((UNORDERED, UNORDERED, UNORDERED, *self._random.sample(ORDERS + DESCENDING, 3)))
        written = self._window(order, self._random.choice(((), ("first",), ("first",), ("last",))))
        if order != UNORDERED:
            written["orderBy"] = self._given(
                "backupDestinations(orderBy)",
                Role("descending order" if order in DESCENDING else "order", order),
                Position.FIRM,
            )
        elif self._random.random() < 0.1:
            self._note("backupDestinations(orderBy): null")
            written["orderBy"] = "null"
        if self._random.random() < 0.35:
            written["filter"] = self._given("backupDestinations(filter)", Role("filter"), Position.NULLABLE)
        return written

    def _window(self, flavour: str, sizes: tuple[str, ...]) -> dict[str, str]:
        """How many, and between which cursors."""
        field = "events" if flavour == "event" else "backupDestinations"
        names = [*sizes, *(name for name in ("after", "before") if self._random.random() < 0.3)]
        roles = {name: Role("cursor", flavour) if name in ("after", "before") else Role("size") for name in names}
        written = {name: self._given(f"{field}({name})", role, Position.NULLABLE) for name, role in roles.items()}
        other = {"first": "last", "last": "first"}.get(names[0] if names else "")
        if other is not None and self._random.random() < 0.15:
            self._note(f"{field}({other}): null")
            written[other] = "null"
        return written

    def _given(self, place: str, role: Role, position: Position) -> str:
        chance = self._random.random()
        if chance < 0.45:
            self._note(f"{place}: a variable")
            return self.variable(role, position)
        if chance < 0.55 and position is Position.NULLABLE:
            self._note(f"{place}: null")
            return "null"
        text = self._written(role, self._values.draw(role))
        self._note(f"{place}: {'a variable inside' if '$v' in text else 'a literal'}")
        return text

    def _written(self, role: Role, value: Any) -> str:
        """A literal; in lists and objects with variables here and there."""
        if value is None:
            return "null"
        if role.name in ITEMS:
            item = Role(ITEMS[role.name], role.flavour)
            if not isinstance(value, list):
                return self._written(item, value)
            return f"[{', '.join(self._piece(item, each, Position.FIRM) for each in value)}]"
        if role.name in INPUTS:
            fields = {name: (Role(inner, role.flavour), at) for name, (inner, at) in INPUTS[role.name].items()}
            pieces = (f"{name}: {self._piece(fields[name][0], of, fields[name][1])}" for name, of in value.items())
            return f"{{{', '.join(pieces)}}}"
        return literal(role, value)

    def _piece(self, role: Role, value: Any, position: Position) -> str:
        return self.variable(role, position) if self._random.random() < 0.3 else self._written(role, value)

    def _note(self, feature: str) -> None:
        self._values.features.add(feature)
