"""Documents that are nested, spread and repeated beyond what one may: depth, fragments, overlapping fields."""

from __future__ import annotations

from collections.abc import Iterable

from tests.hostile.operations.case import INVALID, LIMIT, PARSE, operations


def nested(opening: str, inside: str, times: int) -> str:
    """`inside` within that many layers of `opening`."""
    return opening * times + inside + "}" * times


def fragments(count: int, body: str, type_: str = "User") -> str:
    """Fragments F0, F1, ...; `#` in the body is the number of each, `+` the next one."""
    bodies = (body.replace("#", str(number)).replace("+", str(number + 1)) for number in range(count))
    return " ".join(f"fragment F{number} on {type_} {{ {text} }}" for number, text in enumerate(bodies))


def spreads(numbers: Iterable[int]) -> str:
    """The spreads of fragments by number."""
    return " ".join(f"...F{number}" for number in numbers)


def each_spreads_the_later(count: int) -> str:
    """Fragments of which each spreads all that come after it."""
    bodies = (f"fragment F{n} on User {{ id {spreads(range(n + 1, count))} }}" for n in range(count))
    return " ".join(bodies)


_PEOPLE = "{ viewer { %s } }"
_FOUR = "id name email databaseId"
_EDGES = "edges { cursor node { id label createdAt } }"
_KINDS = ("AmazonS3Destination", "CustomS3Destination", "LocalDestination")

TOO_DEEP = {
    "sixteen levels": "{ backupDestinations { " + "edges { node { " * 15 + "id" + " } }" * 15 + " } }",
    "fields nested 150 deep": nested("{ viewer ", "{ id }", 150),
    "too deep through a fragment": "{ __schema { ...F } } fragment F on __Schema { types { "
    + nested("ofType { ", "name", 16)
    + " } }",
    "too deep through a chain of fragments": "{ __schema { types { ...F0 } } } "
    + fragments(15, "ofType { ...F+ }", "__Type")
    + " fragment F15 on __Type { name }",
    "too deep in inline fragments": "{ __schema { types { " + "... { ofType { " * 16 + "name" + " } }" * 16 + " } } }",
    "a cycle through a field": "{ node(id: 1) { ...F } } fragment F on BackupDestinationCreated "
    "{ backupDestination { id ... on Node { ...F } } }",
    "a cycle through the schema": "{ __schema { types { ...F } } } fragment F on __Type { ofType { ...F } }",
}  # fmt: skip
UNREADABLY_DEEP = {
    "fields nested 900 deep": nested("{ viewer ", "{ id }", 900),
    "inline fragments nested 300 deep": nested("{ ... ", "{ viewer { id } }", 300),
    "lists nested 900 deep": "{ nodes(ids: " + "[" * 900 + "]" * 900 + ") { id } }",
    "lists that never end": "{ nodes(ids: " + "[" * 1_900,
    "objects nested 250 deep": "{ backupDestinations(filter: " + nested("{ a: ", "1", 250) + ") { totalCount } }",
    "types nested 201 deep": "query($a: " + "[" * 201 + "Int" + "]" * 201 + ") { viewer { id } }",
    "types nested 900 deep": "query($a: " + "[" * 900 + "Int" + "]" * 900 + ") { viewer { id } }",
    "braces alone": "{" * 1_900,
}
CYCLES = {
    "a fragment that spreads itself": "{ viewer { ...F } } fragment F on User { id ...F }",
    "two fragments that spread each other": "{ viewer { ...F0 } } fragment F0 on User { ...F1 } "
    "fragment F1 on User { ...F0 }",
    "a ring of 50 fragments": "{ viewer { ...F0 } } " + fragments(49, "...F+") + " fragment F49 on User { ...F0 }",
    "a cycle in an inline fragment": "{ viewer { ...F } } fragment F on User { ... { ... { ...F } } }",
}
ENTANGLED = {
    "forty fragments, each spreading all later ones": "{ viewer { ...F0 } } " + each_spreads_the_later(40),
    "fifty fragments of the same four fields": _PEOPLE % spreads(range(50)) + fragments(50, _FOUR),
    "a chain of fifty fragments of the same edges": "{ backupDestinations { ...F0 } } "
    + fragments(50, _EDGES + " ...F+", "BackupDestinationConnection")
    + " fragment F50 on BackupDestinationConnection { totalCount }",
    "fifty fragments of nested fields": "{ backupDestinations { " + spreads(range(50)) + " } } "
    + fragments(50, _EDGES, "BackupDestinationConnection"),
    "one field 700 times": _PEOPLE % ("id " * 700),
    "one list of edges sixty times": "{ backupDestinations { " + (_EDGES + " ") * 60 + " } }",
    "one inline fragment 200 times": _PEOPLE % ("... on User { id } " * 200),
    "inline fragments of three types, taking turns": "{ node(id: 1) { "
    + " ".join(f"... on {_KINDS[number % 3]} {{ id label kindName }}" for number in range(90))
    + " } }",
    "the same fields on 150 levels of inline fragments": _PEOPLE % nested(f"{_FOUR} ... {{ ", "id", 150),
    "fields of the same arguments": "{ " + "nodes(ids: [%s]) { id } " % ('"a" ' * 14) * 19 + "a: viewer { "
    + "id " * 60 + "} }",
    "forty fragments that each spread the next three times": "{ backupDestinations { nodes { ...F0 } } } "
    + fragments(40, "id ...F+ ...F+ ...F+", "BackupDestination")
    + " fragment F40 on BackupDestination { id }",
    "a chain of the schema's own types": "{ __schema { types { " + spreads(range(50)) + " } } } "
    + fragments(50, "name kind ofType { name kind }", "__Type"),
}  # fmt: skip
TOO_MANY = {
    "two hundred fragments": _PEOPLE % spreads(range(200)) + fragments(200, "id"),
    "a hundred fragments that nobody spreads": _PEOPLE % "id" + fragments(100, "id"),
    "a hundred operations": " ".join(f"query Q{number} {{ viewer {{ id }} }}" for number in range(100)),
    "one fragment 980 times": "{ " + "...F " * 980 + "} fragment F on Query { viewer { id } }",
    "two thousand fields": _PEOPLE % ("id " * 1_950),
    "two thousand fields that are not there": _PEOPLE % " ".join(f"x{number}" for number in range(1_950)),
}
UNFIT = {
    "one fragment under many names": _PEOPLE % "...F" + "fragment F on User { id } " * 40,
    "a fragment that nobody knows, 190 times": _PEOPLE % ("...F " * 190),
    "conflicting fragments": _PEOPLE % "...F0 ...G" + fragments(1, "a: id") + "fragment G on User { a: name }",
    "a field that means two things": _PEOPLE % "id: name id",
    "a field of other arguments": "{ nodes(ids: [1]) { id } nodes(ids: [2]) { id } }",
    "a fragment on a type that cannot be": _PEOPLE % "... on LocalDestination { id }",
    "a fragment on an input": "{ ... on BackupDestinationFilter { kinds } }",
    "a fragment nobody spreads": _PEOPLE % "id" + "fragment F on User { id }",
}  # fmt: skip

CASES = (
    *operations(LIMIT, TOO_DEEP),
    *operations(PARSE, UNREADABLY_DEEP),
    *operations(INVALID, CYCLES),
    *operations(LIMIT, ENTANGLED),
    *operations(LIMIT, {name: text for name, text in TOO_MANY.items() if "operations" not in name}),
    *operations(LIMIT, {"a hundred operations": TOO_MANY["a hundred operations"]}, operation_name="Q1"),
    *operations(INVALID, UNFIT),
)
