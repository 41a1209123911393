"""Random values of the arguments of queries, fitting ones and wrong ones, as JSON and as the text of literals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any, NamedTuple

ORDERS = ("CREATED_AT", "UPDATED_AT", "LABEL", "KIND", "BUCKET_NAME", "LAST_CHECK")
DESCENDING = tuple(f"{name} DESC" for name in ORDERS)
UNORDERED = ""
_KINDS = ("AMAZON_S3", "CUSTOM_S3", "LOCAL")
_REACHABILITIES = ("UNKNOWN", "CHECKING", "REACHABLE", "UNREACHABLE")
_TEXTS = ("", "a", "E", "%", "_", "\\", '"', "é", "🗄", "\u2028", " ", "nothing has this", "x" * 256, "a\0b")
_HOSTS = ("s3.example.com", "S3.EXAMPLE.com:443", "::1", "[::1]:9000", "[::1", "", "a b", "%", "b\u00fccher.example")
_TIMES = ("2024-08-07T00:00:00Z", "2024-08-07T00:00:59+05:30", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")
_SIZES = (0, 1, 1, 2, 2, 3, 3, 5, 7, 15, 100)
_WRONG_SIZES = (-1, 101, 2**31 - 1, -(2**31))
_WRONG: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 7, -1, 1.0, 3.0, 1.5, 2**31, 2**53, -(2**63), 1e300, "", "x", "1", "LABEL", "LOCAL"),
    *([], [None], [1], ["LOCAL"], [["LOCAL"]], "BackupDestination:1", ["BackupDestination:1", 7, None]),
    *({}, {"x": 1}, {"field": "LABEL"}, {"kinds": "LOCAL"}, {"labelContains": 1}, {"field": None}),
)
"""What a client may send for anything; now and then it even fits."""
_LIKELY_WRONG: Mapping[str, tuple[Any, ...]] = {
    "id": (7, None),
    "size": (1.0, "1", True, 2**31),
    "condition": (None, 1),
    "time": ("2024-08-07", "0001-01-01T00:00:00+12:00", 1),
}
"""What clients do send."""


class Position(Enum):
    """What a variable may be where it stands."""

    NULLABLE = 1
    DEFAULTED = 2
    """It may be missing, but not null."""
    FIRM = 3


class Role(NamedTuple):
    """What a value is for; the flavour is an order of the list, or what kind of ID is wanted."""

    name: str
    flavour: str = UNORDERED


TYPES = {
    "id": "ID",
    "ids": "[ID!]",
    "size": "Int",
    "cursor": "String",
    "filter": "BackupDestinationFilter",
    "event filter": "BackupDestinationEventFilter",
    "order": "BackupDestinationOrder",
    "descending order": "BackupDestinationOrder",
    "kinds": "[DestinationKind!]",
    "kind": "DestinationKind",
    "reachabilities": "[Reachability!]",
    "reachability": "Reachability",
    "text": "String",
    "host": "String",
    "time": "DateTime",
    "field": "BackupDestinationOrderField",
    "direction": "OrderDirection",
    "condition": "Boolean",
    "event kinds": "[BackupDestinationEventKind!]",
    "event kind": "BackupDestinationEventKind",
    "protocol": "EventProtocol",
}
"""The type of each role, without what says that it may not be null."""
ITEMS = {"ids": "id", "kinds": "kind", "reachabilities": "reachability", "event kinds": "event kind"}
INPUTS: Mapping[str, Mapping[str, tuple[str, Position]]] = {
    "filter": {
        "kinds": ("kinds", Position.NULLABLE),
        "reachability": ("reachabilities", Position.NULLABLE),
        "labelContains": ("text", Position.NULLABLE),
        "bucketName": ("text", Position.NULLABLE),
        "region": ("text", Position.NULLABLE),
        "endpointHost": ("host", Position.NULLABLE),
        "createdSince": ("time", Position.NULLABLE),
        "updatedUntil": ("time", Position.NULLABLE),
        "checkedSince": ("time", Position.NULLABLE),
        "notCheckedSince": ("time", Position.NULLABLE),
    },
    "event filter": {
        "kinds": ("event kinds", Position.NULLABLE),
        "protocol": ("protocol", Position.NULLABLE),
    },
    "order": {"field": ("field", Position.FIRM), "direction": ("direction", Position.DEFAULTED)},
    "descending order": {"field": ("field", Position.FIRM), "direction": ("direction", Position.FIRM)},
}
"""The fields of the input objects, each with its role."""
_QUOTED = ("id", "cursor", "text", "host", "time")


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What there is to ask for: IDs by what they are of, and cursors by the order of their list."""

    ids: Mapping[str, Sequence[str | int]]
    cursors: Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """A variable of an operation; `default` is a literal."""

    name: str
    role: Role
    position: Position
    type_: str
    default: str | None

    @property
    def definition(self) -> str:
        """How the operation declares it."""
        return f"${self.name}: {self.type_}" + ("" if self.default is None else f" = {self.default}")


@dataclass(kw_only=True, slots=True)
class Values:
    """Draws values; `features` says what was drawn that a test wants to have seen."""

    random: Random
    facts: Facts
    is_troubled: bool
    features: set[str] = field(default_factory=set)

    def draw(self, role: Role) -> Any:
        """A value that fits the type, and nothing wrong with it unless trouble is wanted."""
        match role.name:
            case "id":
                return self._id(role.flavour)
            case "size":
                return self.random.choice(_WRONG_SIZES if self._is_wrong() else _SIZES)
            case "cursor":
                return self._cursor(role.flavour)
            case "text":
                return self.random.choice(_TEXTS)
            case "field":
                return role.flavour.removesuffix(" DESC")
            case "direction":
                return "DESC" if role.flavour in DESCENDING else "ASC"
            case "ids" | "kinds" | "reachabilities" | "event kinds":
                item = Role(ITEMS[role.name], role.flavour)
                count = 101 if role.name == "ids" and self._is_wrong() else self.random.choice((0, 1, 1, 2, 3, 4))
                items = [self.draw(item) for _ in range(count)]
                return items[0] if count == 1 and self.random.random() < 0.3 else items
            case "filter" | "event filter" | "order" | "descending order":
                return dict(self._fields(role))
            case _:
                return self.random.choice(_CHOICES[role.name])

    def given(self, variables: Sequence[Variable]) -> dict[str, Any]:
        """What a client sends for these variables; some may be left out."""
        return {variable.name: value for variable in variables for value in self._sent(variable)}

    def _sent(self, variable: Variable) -> Iterator[Any]:
        chance = self.random.random()
        is_nullable = not variable.type_.endswith("!")
        if self.is_troubled and self.random.random() < 0.5:
            if chance < 0.9:
                wrong = self.random.choice(_LIKELY_WRONG.get(variable.role.name, _WRONG) if chance < 0.5 else _WRONG)
                self.features.add(f"{type(wrong).__name__} for {variable.role.name}")
                yield wrong
        elif variable.default is not None and chance < 0.4:
            self.features.add("a default of a variable")
        elif is_nullable and variable.position is not Position.FIRM and chance < 0.15:
            self.features.add("a missing variable")
        elif is_nullable and variable.position is Position.NULLABLE and chance < 0.3:
            self.features.add("a null variable")
            yield None
        else:
            yield self.draw(variable.role)

    def _is_wrong(self) -> bool:
        return self.is_troubled and self.random.random() < 0.3

    def _id(self, flavour: str) -> str | int:
        whose = [*["one of the viewer's"] * 6, "nothing's", "somebody else's"]
        whose += ["the user's"] * 2 if flavour == "node" else []
        if self._is_wrong():
            whose = ["an event's", "nobody's, malformed", "the user's"]
        what = self.random.choice(whose)
        self.features.add(f"an ID: {what}")
        return self.random.choice(self.facts.ids[what])

    def _cursor(self, flavour: str) -> str:
        if self._is_wrong():
            flavour = self.random.choice(("wrong", UNORDERED, *ORDERS, *DESCENDING))
        self.features.add(f"a cursor of {flavour or 'no order'}")
        return self.random.choice(self.facts.cursors[flavour])

    def _fields(self, role: Role) -> Iterator[tuple[str, Any]]:
        for name, (inner, position) in INPUTS[role.name].items():
            chance = self.random.random()
            if position is Position.FIRM or chance < (0.45 if len(INPUTS[role.name]) < 4 else 0.15):
                yield name, self.draw(Role(inner, role.flavour))
            elif position is Position.NULLABLE and 0.45 < chance < 0.55:
                yield name, None


_CHOICES: Mapping[str, Sequence[Any]] = {
    "kind": _KINDS,
    "reachability": _REACHABILITIES,
    "condition": (True, False),
    "host": _HOSTS,
    "time": _TIMES,
    "event kind": ("CREATED", "UPDATED", "DELETED", "CHECKED"),
    "protocol": ("GRAPHQL", "REST", "COMMAND_LINE", "SCHEDULER"),
}


def literal(role: Role, value: Any) -> str:
    """A value as the document shows it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if role.name in ITEMS:
        if not isinstance(value, list):
            return literal(Role(ITEMS[role.name]), value)
        return f"[{', '.join(literal(Role(ITEMS[role.name]), item) for item in value)}]"
    if role.name in INPUTS:
        fields = INPUTS[role.name]
        return f"{{{', '.join(f'{name}: {literal(Role(fields[name][0]), of)}' for name, of in value.items())}}}"
    return json.dumps(value, ensure_ascii=False) if role.name in _QUOTED else str(value)
