"""Documents just within the limits: the dearest that are let through, or that are refused last."""

from __future__ import annotations

from tests.hostile.operations.depth import fragments, nested, spreads

_NODE = 'node(id: "User:1") { id %s }'
_COMMON = "databaseId label kindName createdAt updatedAt"
_BUCKET = f"{_COMMON} bucketName pathStyleEndpoint credentialsSetAt reachability region"
_EVERY_KIND = (
    f"... on AmazonS3Destination {{ {_BUCKET} }} ... on CustomS3Destination {{ {_BUCKET} }} "
    f"... on LocalDestination {{ {_COMMON} }}"
)

DOCUMENTS = {
    "one fragment spread 200 times": "{ " + "...F " * 200 + "} fragment F on Query { viewer { id } }",
    "twenty nodes of every kind": "{ " + " ".join(f"a{n}: " + _NODE % _EVERY_KIND for n in range(20)) + " }",
    "thirty queries": " ".join(
        f"query Q{n} {{ backupDestinations {{ edges {{ node {{ {_COMMON} }} }} }} }}" for n in range(30)
    ),
    "thirty queries of two fields": " ".join(
        f"query Q{n} {{ viewer {{ id name }} backupDestinations {{ pageInfo {{ hasNextPage }} }} }}" for n in range(30)
    ),
    "thirty queries of one variable each": " ".join(
        f"query Q{n}($a: ID!) {{ node(id: $a) {{ id }} }}" for n in range(30)
    ),
    "thirty queries of a fragment of 280 variables": " ".join(f"query Q{n}($a: ID!) {{ ...F }}" for n in range(30))
    + " fragment F on Query { nodes(ids: [" + "$a " * 280 + "]) { id } }",
    "thirty queries of a chain of thirty fragments": " ".join(f"query Q{n} {{ ...F0 }}" for n in range(30))
    + fragments(29, "...F+", "Query") + " fragment F29 on Query { viewer { id } }",
    "fifty-nine fragments of their own": "{ viewer { " + spreads(range(59)) + " } }"
    + fragments(59, " ".join(f"x#_{n}" for n in range(11))),
    "299 IDs": "{ nodes(ids: [" + '"x" ' * 298 + "]) { id } }",
    "299 kinds": "{ backupDestinations(filter: {kinds: [" + "LOCAL " * 290 + "]}) { totalCount } }",
    "a hundred variables used twice": "query(" + " ".join(f"$v{n}: ID!" for n in range(100)) + ") { nodes(ids: ["
    + " ".join(f"$v{n % 100}" for n in range(290)) + "]) { id } }",
    "790 fields that are not there": "{ viewer { " + " ".join(f"x{n}" for n in range(790)) + " } }",
    "395 inline fragments": "{ viewer { " + " ".join(f"... {{ x{n} }}" for n in range(395)) + " } }",
    "fields in 190 inline fragments": nested("{ ... ", "{ viewer { id } }", 190),
    "a good part first and the entangled one last": "query Q0 { " + " ".join(
        f"a{n}: " + _NODE % _EVERY_KIND for n in range(20)
    ) + " } query Q1 { viewer { " + "id " * 80 + "} }",
    "a chain of 59 fragments with fields": "{ viewer { ...F0 } }" + fragments(58, "a# ...F+")
    + " fragment F58 on User { id }",
    "60,000 line feeds and 790 fields": "\n" * 60_000 + "{ viewer { " + "\nid" * 790 + " } }",
    "thirty line feeds before each of 1,900 names": "{ viewer {" + ("\n" * 30 + "a") * 1_900 + "}}!",
    "a thousand long comments": ("#" + "x" * 60 + "\n") * 1_000 + "{ viewer { id } }",
    "a block string of 64,000 lines": '{ node(id: """' + "\n" * 64_000 + '""") { id } }',
    "a block string of carriage returns": '{ node(id: """' + "\r" * 64_000 + '""") { id } }',
    "a string of 32,000 escapes": '{ node(id: "' + "\\n" * 32_000 + '") { id } }',
}  # fmt: skip
