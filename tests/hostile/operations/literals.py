"""Values in documents that do not fit where they stand, many of them, or huge; secrets among them."""

from __future__ import annotations

from tests.hostile.operations.case import INPUT, INVALID, LIMIT, operations
from tests.hostile.rest.case import canary

CREATE = "mutation { createBackupDestination(input: %s) { __typename } }"
_UPDATE = 'mutation { updateBackupDestination(id: "BackupDestination:1", input: %s) { __typename } }'
_LIST = "{ backupDestinations(%s) { totalCount } }"
_KEYS = 'credentials: {accessKey: "%s", secretKey: "%s"}'

UNFIT = {
    "a page of 5,000 digits": _LIST % ("first: " + "9" * 5_000),
    "a page of 60,000 digits": _LIST % ("first: -" + "9" * 60_000),
    "a page of an exponent of 60,000 digits": _LIST % ("first: 1e" + "9" * 60_000),
    "a page of 60,000 decimals": _LIST % ("first: 1." + "9" * 60_000),
    "a page in words": _LIST % f'first: "{canary("page")}"',
    "a page of 2 to the 31st": _LIST % "first: 2147483648",
    "an order without a field": _LIST % "orderBy: {}",
    "an order of an unknown field": _LIST % "orderBy: {field: SECRET}",
    "an order in quotes": _LIST % f'orderBy: {{field: "{canary("order")}"}}',
    "a kind that is none": _LIST % f"filter: {{kinds: [LOCAL, {canary('kind')}]}}",
    "280 kinds that are none": _LIST % ("filter: {kinds: [" + " ".join(f"E{number}" for number in range(280)) + "]}"),
    "280 fields that are not there": _LIST % ("filter: {" + " ".join(f"x{number}: 1" for number in range(280)) + "}"),
    "one field 280 times": _LIST % ("filter: {" + "kinds: [] " * 280 + "}"),
    "one argument 280 times": _LIST % ("first: 1 " * 280),
    "280 arguments that are not there": _LIST % " ".join(f"x{number}: 1" for number in range(280)),
    "one argument of a directive 280 times": "{ viewer { id @skip(" + "if: true " * 280 + ") } }",
    "a directive that is told no truth": f'{{ viewer {{ id @skip(if: "{canary("if")}") }} }}',
    "IDs in lists in lists": "{ nodes(ids: [" + "[[[1]]] " * 70 + "]) { id } }",
    "IDs that are null": "{ nodes(ids: [" + "null " * 290 + "]) { id } }",
    "IDs that are objects": "{ nodes(ids: [" + f'{{a: "{canary("object")}"}} ' * 140 + "]) { id } }",
    "no ID": "{ node { id } }",
    "an ID that is a fraction": "{ node(id: 1.5) { id } }",
    "no input": "mutation { createBackupDestination { __typename } }",
    "an input that is a string": CREATE % f'"{canary("string")}{"x" * 60_000}"',
    "an input of no kind": CREATE % "{}",
    "an input of two kinds": CREATE % (
        '{local: {label: "a"}, amazonS3: {label: "a", bucketName: "b", region: "c", '
        + _KEYS % (canary("two kinds, access"), canary("two kinds, secret"))
        + "}}"
    ),
    "an input of a kind that is null": CREATE % "{local: null}",
    "a bucket without keys": CREATE % '{amazonS3: {label: "a", bucketName: "b", region: "c"}}',
    "a bucket with one key": CREATE % (
        f'{{amazonS3: {{label: "a", bucketName: "b", region: "c", credentials: {{accessKey: "{canary("one key")}"}}}}}}'
    ),
    "keys without quotes": CREATE % (
        '{amazonS3: {label: "a", bucketName: "b", region: "c", credentials: '
        f"{{accessKey: {canary('bare access')}, secretKey: {canary('bare secret')}}}}}}}"
    ),
    "keys in a list": CREATE % (
        '{amazonS3: {label: "a", bucketName: "b", region: "c", credentials: '
        f'["{canary("listed access")}", "{canary("listed secret")}"]}}}}'
    ),
    "keys where no keys go": CREATE % ('{local: {label: "a", ' + _KEYS % (canary("lost"), canary("lost too")) + "}}"),
    "keys beside the kind": CREATE % ('{local: {label: "a"}, ' + _KEYS % (canary("beside"), canary("by")) + "}"),
    "a label that is a key in an object": CREATE % f'{{local: {{label: {{secretKey: "{canary("label")}"}}}}}}',
    "a path style in words": _UPDATE % f'{{pathStyleEndpoint: "{canary("path style")}"}}',
    "a bucket name that is a number": _UPDATE % "{bucketName: 1234567890123456789012345678901234567890}",
    "a value that looks like a sentence of ours": _LIST % f"""filter: "type '{canary("type")}', found" """,
    "a default that does not fit": f'query($a: Int = "{canary("default")}") {{ events(first: $a) {{ __typename }} }}',
    "a default that is an enum of none": f"query($a: OrderDirection = {canary('enum')}) "
    "{ backupDestinations(orderBy: {field: LABEL, direction: $a}) { totalCount } }",
}  # fmt: skip
TOO_MANY = {
    "600 fields that are not there": _LIST % ("filter: {" + " ".join(f"x{n}: 1" for n in range(600)) + "}"),
    "600 long fields that are not there": CREATE
    % ("{" + " ".join(f'x{number}: "{"y" * 90}"' for number in range(600)) + "}"),
    "one field 450 times": _LIST % ("filter: {" + "kinds: [] " * 450 + "}"),
    "one argument 640 times": _LIST % ("first: 1 " * 640),
    "1,900 kinds": _LIST % ("filter: {kinds: [" + "LOCAL " * 1_900 + "]}"),
    "1,900 IDs": "{ nodes(ids: [" + '"x" ' * 1_900 + "]) { id } }",
    "315 IDs in lists": "{ nodes(ids: [" + "[[[]]] " * 315 + "]) { id } }",
    "objects in objects in arguments of directives": "{ viewer { id @include(if: [" + "{a: {b: 1}} " * 120 + "]) } }",
    "600 arguments of a directive": "{ viewer { id @include(" + "if: true " * 600 + ") } }",
}
NO_CURSOR = {
    "a cursor of nothing": _LIST % 'after: ""',
    "a cursor of 60,000 letters": _LIST % ('after: "' + "A" * 60_000 + '"'),
    "a cursor that is a secret": _LIST % f'before: "{canary("cursor")}"',
    "a cursor of deep lists": _LIST % ('after: "' + "W1tb" * 500 + '"'),
    "a cursor of another list": '{ events(after: "WyJpZCIsbnVsbCwxXQ") { edges { cursor } } }',
    "a cursor of another order": _LIST % 'after: "WyJldmVudCIsbnVsbCwxXQ"',
    "a cursor of an ID beyond all": _LIST % 'after: "WyJpZCIsbnVsbCw5OTk5OTk5OTk5OTk5OTk5OTk5OV0"',
    "an ID of no type": '{ node(id: "Secret:1") { id } }',
    "an ID of a type that is not asked for": '{ backupDestination(id: "User:1") { id } }',
    "an ID of zero": '{ node(id: "BackupDestination:0") { id } }',
    "an ID of 19 nines and one more": '{ node(id: "BackupDestination:99999999999999999999") { id } }',
    "an ID in Arabic digits": '{ node(id: "BackupDestination:\u0661") { id } }',
    "an ID with a line feed": '{ node(id: "BackupDestination:1\\n") { id } }',
    "an ID of REST": "{ backupDestination(id: 1) { id } }",
    "twenty bad IDs": "{ " + " ".join(
        f'a{n}: backupDestination(id: "{canary("a flood of IDs")}") {{ id }}' for n in range(20)
    ) + " }",
    "twenty bad cursors": "{ " + " ".join(
        f'a{n}: events(after: "{canary("a flood of cursors")}") {{ edges {{ cursor }} }}' for n in range(20)
    ) + " }",
    "ninety-nine good IDs and a bad one": "{ nodes(ids: [" + '"User:1" ' * 99 + '"x"]) { id } }',
    "a bad ID to delete": 'mutation { deleteBackupDestination(id: "1 OR 1=1") { __typename } }',
}  # fmt: skip

CASES = (
    *operations(INVALID, UNFIT),
    *operations(LIMIT, TOO_MANY),
    *operations(INPUT, NO_CURSOR, executed=True),
)
