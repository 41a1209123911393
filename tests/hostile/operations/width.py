"""Documents that ask for much at once: aliases, root fields, directives, and pages of pages."""

from __future__ import annotations

from tests.hostile.operations.case import INPUT, INVALID, LIMIT, asking, operations
from tests.hostile.operations.depth import spreads

_VIEWER = "{ viewer { id } }"
_HUNDRED = "backupDestinations(first: 100) { edges { node { %s } } }"
_ALL = "id databaseId label kindName createdAt updatedAt"

TOO_WIDE = {
    "thirty-one aliases": "{ viewer { " + " ".join(f"a{number}: id" for number in range(31)) + " } }",
    "thirty-one aliases in two operations": " ".join(
        f"query {name} {{ viewer {{ " + " ".join(f"a{number}: id" for number in range(16)) + " } }" for name in "AB"
    ),
    "thirty-one aliases in fragments": "{ viewer { " + spreads(range(31)) + " } } "
    + " ".join(f"fragment F{number} on User {{ a{number}: id }}" for number in range(31)),
    "an alias of 60,000 letters": "{ " + "a" * 60_000 + ": viewer { id } }",
    "an alias that a hundred rows repeat": "{ " + _HUNDRED % ("a" * 81 + ": id") + " }",
    "twenty-one root fields": "{ " + " ".join(f"a{number}: viewer {{ id }}" for number in range(21)) + " }",
    "twenty-one root fields in inline fragments": "{ " + "... { viewer { id } } " * 21 + "}",
    "twenty-one root fields in fragments": "{ " + spreads(range(21)) + " } "
    + " ".join(f"fragment F{number} on Query {{ viewer {{ id }} }}" for number in range(21)),
    "twenty-one mutations": "mutation { " + " ".join(
        f'a{number}: deleteBackupDestination(id: "BackupDestination:{number}") {{ __typename }}' for number in range(21)
    ) + " }",
    "fifty-one directives": "{ viewer { id " + "@include(if: true) " * 51 + "} }",
    "fifty-one directives on many fields": "{ viewer { " + "id @include(if: true) " * 51 + "} }",
    "fifty-one directives on a query": "query " + "@a " * 51 + _VIEWER,
    "fifty-one directives on variables": "query(" + " ".join(f"$a{n}: Int @a" for n in range(51)) + ") " + _VIEWER,
    "fifty-one directives on fragments": "{ " + "...F @include(if: true) " * 51 + "} fragment F on Query " + _VIEWER,
}  # fmt: skip
MISUSED = {
    "an unknown directive": "{ viewer { id @a } }",
    "a directive twice": "{ viewer { id @skip(if: true) @skip(if: true) } }",
    "a directive of the schema": '{ viewer { id @deprecated(reason: "x") } }',
    "deferring": "{ ... @defer { viewer { id } } }",
    "streaming": "{ backupDestinations { edges @stream { cursor } } }",
    "a subscription of two fields": "subscription { a: backupDestinationEvents { id } backupDestinationEvents { id } }",
    "a mutation on the query": "{ deleteBackupDestination(id: 1) { __typename } }",
}  # fmt: skip
TOO_DEAR = {
    "twenty pages of a hundred": "{ " + " ".join(f"a{number}: {_HUNDRED % _ALL}" for number in range(20)) + " }",
    "three pages of a hundred": "{ a: "
    + _HUNDRED % (_ALL + " " + " ".join(f"a{n}: id" for n in range(28))) + _HUNDRED % (_ALL + " b: label")
    + "events(first: 100) { edges { cursor node { id occurredAt protocol } } } }",
    "a page of a hundred in a fragment, seven times": "{ "
    + " ".join(f"a{number}: {_HUNDRED % '...F'}" for number in range(7))
    + "} fragment F on BackupDestination { " + _ALL + " }",
    "a fragment first where it is cheap": '{ node(id: "BackupDestination:1") { ...F } '
    + " ".join(f"a{number}: {_HUNDRED % '...F'}" for number in range(7))
    + "} fragment F on BackupDestination { " + _ALL + " }",
    "events of a hundred, with their destinations, six times": "{ " + " ".join(
        f"a{number}: events(last: 100) {{ edges {{ node {{ id ... on BackupDestinationCreated {{ backupDestination "
        f"{{ {_ALL} }} }} }} }} }}" for number in range(6)
    ) + " }",
    "pages of a hundred by default": "query($n: Int = 100) { "
    + " ".join(f"a{n}: " + (_HUNDRED % _ALL).replace("100", "$n") for n in range(7)) + " }",
    "the same rows by three filters": "{ "
    + " ".join(
        f'a{n}: backupDestinations(first: 100, filter: {{labelContains: "{n}"}}) {{ nodes {{ label }} }}'
        for n in range(3)
    ) + " }",
    "all fields four times": "{ __schema { types { a: fields { ...F } b: fields { ...F } c: fields { ...F } "
    "d: fields { ...F } } } } "
    "fragment F on __Field { name description isDeprecated deprecationReason args { name description defaultValue "
    "type { name kind ofType { name kind } } } type { name kind ofType { name kind ofType { name kind } } } }",
}  # fmt: skip
_PAGES = "query($n: Int) { " + " ".join(f"a{n}: " + (_HUNDRED % _ALL).replace("100", "$n") for n in range(7)) + " }"
_NODES = (
    "query($n: [ID!]!) { "
    + " ".join(f"a{n}: nodes(ids: $n) {{ id ... on User {{ name email }} }}" for n in range(20))
    + " }"
)
SIZES = {
    "pages of a hundred by variable": 100,
    "pages of 100.0 by variable": 100.0,
    "pages of two billion": 2_000_000_000,
}
_BY_VARIABLES = (
    "query("
    + " ".join(f"$v{n}: [ID!]!" for n in range(19))
    + ") { "
    + " ".join(f"a{n}: nodes(ids: $v{n}) {{ ... on BackupDestination {{ label }} }}" for n in range(19))
    + " }"
)
NODES = {"two thousand nodes by variable": [f"BackupDestination:{number}" for number in range(100)]}
BEYOND = {
    "a page of 101": "{ backupDestinations(first: 101) { totalCount } }",
    "a page of two billion": "{ backupDestinations(last: 2000000000) { totalCount } }",
    "a page of less than none": "{ events(first: -1) { edges { cursor } } }",
    "both ends of a page": "{ backupDestinations(first: 1, last: 1) { totalCount } }",
    "a hundred and one nodes": "{ nodes(ids: [" + '"User:1" ' * 101 + "]) { id } }",
}

CASES = (
    *operations(LIMIT, {name: text for name, text in TOO_WIDE.items() if "operations" not in name}),
    *operations(LIMIT, {name: text for name, text in TOO_WIDE.items() if "operations" in name}, operation_name="A"),
    *operations(INVALID, MISUSED),
    *operations(LIMIT, TOO_DEAR),
    *asking(LIMIT, _PAGES, SIZES),
    *asking(LIMIT, _NODES, NODES),
    *operations(
        LIMIT,
        {"nineteen lists of the same IDs by variables": _BY_VARIABLES},
        variables={f"v{n}": ["BackupDestination:1"] * 50 for n in range(19)},
    ),
    *operations(INPUT, BEYOND, executed=True),
)
