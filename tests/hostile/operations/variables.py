"""Variables that are missing, unknown, of the wrong type, deep or huge; secrets in the wrong places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.hostile.operations.case import INPUT, INVALID, LIMIT, REQUEST, Operation, asking, operations
from tests.hostile.rest.case import canary

_VIEWER = "{ viewer { id } }"
_PAGE = "query($n: Int) { backupDestinations(first: $n) { totalCount } }"
_NODE = "query($id: ID!) { node(id: $id) { id } }"
_NODES = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
_FILTER = "query($f: BackupDestinationFilter) { backupDestinations(filter: $f) { totalCount } }"
_CREATE = "mutation($i: CreateBackupDestinationInput!) { createBackupDestination(input: $i) { __typename } }"
_FLAG = "query($b: Boolean!) { viewer { id @skip(if: $b) } }"
_AMAZON = {"label": "a", "bucketName": "b", "region": "c"}


def deep(levels: int) -> Any:
    """A list in a list in a list."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def keys(name: str) -> dict[str, str]:
    """Credentials that no others are like."""
    return {"accessKey": canary(f"{name}, access"), "secretKey": canary(f"{name}, secret")}


MISDECLARED = {
    "a variable nobody uses": "query($a: Int) " + _VIEWER,
    "a variable nobody declared": "{ node(id: $a) { id } }",
    "a variable twice": "query($a: ID!, $a: ID!) { node(id: $a) { id } }",
    "a variable of an object": "query($a: User) { node(id: $a) { id } }",
    "a variable of an unknown type": "query($a: Secret) { node(id: $a) { id } }",
    "a variable of another type": "query($a: Boolean!) { node(id: $a) { id } }",
    "a variable that may be null": "query($a: ID) { node(id: $a) { id } }",
    "ninety variables of another type": "query("
    + " ".join(f"$v{n}: Int" for n in range(90))
    + ") { nodes(ids: ["
    + " ".join(f"$v{n}" for n in range(90))
    + "]) { id } }",
    "290 variables nobody declared": "{ nodes(ids: [" + " ".join(f"$v{n}" for n in range(290)) + "]) { id } }",
    "thirty queries of a fragment of undeclared variables": " ".join(f"query Q{n} {{ ...F }}" for n in range(30))
    + " fragment F on Query { nodes(ids: ["
    + "$v " * 280
    + "]) { id } }",
}
TOO_MANY = {
    "a hundred and one variables": "query(" + " ".join(f"$v{n}: Int" for n in range(101)) + ") " + _VIEWER,
    "480 variables": "query(" + " ".join(f"$v{n}: Int" for n in range(480)) + ") " + _VIEWER,
    "three hundred defaults": "query($f: [Int] = [" + "1 " * 301 + "]) " + _VIEWER,
    "a hundred operations of one variable each": " ".join(f"query Q{n}($a: Int) {_VIEWER}" for n in range(100)),
}
PAGES = {
    "a page in words": canary("page"), "a page that is a fraction": 1.5, "a page of 2 to the 31st": 2**31,
    "a page of 1e300": 1e300, "a page that is true": True, "a page that is a list": [1],
    "a page that is an object": {"a": 1}, "a page of forty digits": 10**40,
}  # fmt: skip
IDS = {
    "a node of null": None, "a node of a fraction": 1.5, "a node of a list": ["a"], "a node of an object": keys("node"),
    "a node of truth": True,
}  # fmt: skip
LISTS = {
    "nodes of null": None,
    "nodes with a null": ["a", None],
    "nodes of objects": [keys("nodes")] * 100,
    "nodes of lists": deep(25),
    "1,900 nodes of objects": [{}] * 1_900,
}
FILTERS = {
    "a filter that is a list": deep(25),
    "a filter that is a secret": canary("filter"),
    "a filter of 900 unknown fields": {f"x{number}": canary("unknown field") for number in range(900)},
    "a filter of a field of 100,000 letters": {"x" * 100_000: 1},
    "a filter of a field in quotes": {f"a' {canary('quoted')} 'b": 1},
    "kinds that are none": {"kinds": [canary("kinds")] * 50},
    "a kind that looks like a sentence of ours": {"kinds": [f"unknown field 'x' type '{canary('sentence')}'"]},
    "a reachability in small letters": {"reachability": "reachable"},
    "a label that is an object": {"labelContains": {"type '" + canary("object of a label") + "'": 1}},
}
INPUTS = {
    "no input": None,
    "an input that is a string": canary("input") + "x" * 90_000,
    "an input of no kind": {},
    "an input of an unknown kind": {"ftp": keys("ftp")},
    "an input of two kinds": {"local": {"label": "a"}, "amazonS3": {**_AMAZON, "credentials": keys("two")}},
    "an input of a null kind": {"local": None},
    "an input of a good kind and a null one": {"local": {"label": "a"}, "amazonS3": None},
    "a bucket without keys": {"amazonS3": _AMAZON},
    "a bucket whose keys are a string": {"amazonS3": {**_AMAZON, "credentials": canary("keys")}},
    "a bucket whose keys are a list": {"amazonS3": {**_AMAZON, "credentials": list(keys("list").values())}},
    "a bucket with half a pair": {"amazonS3": {**_AMAZON, "credentials": {"accessKey": canary("half")}}},
    "a bucket with a key too many": {"amazonS3": {**_AMAZON, "credentials": {**keys("third"), "token": "a"}}},
    "a bucket whose key is a number": {"amazonS3": {**_AMAZON, "credentials": {**keys("number"), "secretKey": 1}}},
    "keys on a local destination": {"local": {"label": "a", "credentials": keys("local")}},
    "a label that is the keys": {"local": {"label": keys("label")}},
    "keys outside the kind": {"local": {"label": "a"}, "credentials": keys("outside")},
}  # fmt: skip
MISSING = {"no variable at all": None, "an unknown variable for it": {"secretKey": canary("unknown variable")}}
TOO_LARGE: dict[str, Any] = {
    "20,000 nodes": {"ids": ["x"] * 20_000},
    "30,000 lists": {"ids": [[]] * 30_000},
    "8,000 unknown variables": {f"x{number}": 1 for number in range(8_000)},
    "lists forty deep": {"ids": deep(40)},
}


def _missing() -> Iterator[Operation]:
    for name, variables in MISSING.items():
        yield Operation(name=name, query=_NODE, variables=variables, code=INPUT)


_MAYBE = (
    "mutation($l: LocalDestinationInput) { createBackupDestination(input: {local: $l}) { __typename } }",
    "query($d: OrderDirection = ASC) { backupDestinations(orderBy: {field: LABEL, direction: $d}) { totalCount } }",
    "query($b: Boolean = true) { viewer { id @skip(if: $b) } }",
)

CASES = (
    *asking(INPUT, _MAYBE[0], {"an input of a kind that is null by variable": None}, executed=True),
    *asking(INPUT, _MAYBE[1], {"a direction that is null in spite of its default": None}, executed=True),
    *asking(INPUT, _MAYBE[2], {"a flag that is null in spite of its default": None}, executed=True),
    *operations(INVALID, {n: text for n, text in MISDECLARED.items() if "queries" not in n}),
    *operations(INVALID, {n: text for n, text in MISDECLARED.items() if "queries" in n}, operation_name="Q1"),
    *operations(LIMIT, {n: text for n, text in TOO_MANY.items() if "operations" not in n}),
    *operations(LIMIT, {n: text for n, text in TOO_MANY.items() if "operations" in n}, operation_name="Q1"),
    *asking(INPUT, _PAGE, PAGES),
    *asking(INPUT, _NODE, IDS),
    *asking(INPUT, _NODES, LISTS),
    *asking(INPUT, _FILTER, FILTERS),
    *asking(INPUT, _CREATE, INPUTS),
    *asking(INPUT, _FLAG, {"a flag in words": canary("flag"), "a flag of null": None}),
    *_missing(),
    *(Operation(name=n, query=_NODES, variables=value, code=REQUEST) for n, value in TOO_LARGE.items()),
)
