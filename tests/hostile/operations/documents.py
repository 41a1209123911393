"""Documents that are long, broken, or no operation: tokens, names, strings, numbers, comments, surrogates."""

from __future__ import annotations

from tests.hostile.operations.case import INPUT, INVALID, LIMIT, PARSE, operations
from tests.hostile.rest.case import canary

_VIEWER = "{ viewer { id } }"
_NODE = "{ node(id: %s) { id } }"
_LONG = 64_000

UNREADABLE = {
    "2,001 tokens": "{ " + "a " * 2_000 + "}",
    "2,001 tokens of punctuation": "!" * 2_001,
    "65,000 commas and a brace": "," * 65_000 + "}",
    "65,000 line feeds and a brace": "\n" * 65_000 + "}",
    "32,000 lines and no end": "\r\n" * 32_000 + "{ viewer {",
    "5,000 comments": "#\n" * 5_000 + _VIEWER,
    "a comment and nothing else": "# " + "x" * _LONG,
    "a string that does not end": _NODE.partition("%")[0] + '"' + "x" * _LONG,
    "a string over two lines": _NODE % '"a\nb"',
    "an escape of no kind": _NODE % '"\\q"',
    "a lone surrogate, escaped": _NODE % '"\\uD800"',
    "a surrogate pair the wrong way round": _NODE % '"\\uDE00\\uD83D"',
    "a code point beyond Unicode": _NODE % '"\\u{110000}"',
    "a code point of a thousand digits": _NODE % ('"\\u{' + "0" * 1_000 + '41}"'),
    "a null character": "{ viewer\0 { id } }",
    "another language": "SELECT * FROM users; --",
    "half an operation": "query($a: Int",
    "an empty selection": "{ }}",
    "a variable in a default": "query($a: Int = $b) { viewer { id } }",
    "a number with a name behind it": _NODE % "12x",
    "an octal number": _NODE % "0755",
    "a difference": _NODE % "1-2",
    "330 fields and a bracket of another kind": "{ " + "viewer { id } " * 330 + "]",
    "a description of a shorthand": '"what it is for" ' + _VIEWER,
    "a secret behind the operation": _VIEWER + " " + canary("behind"),
    "a secret in a string behind the operation": _VIEWER + f' "{canary("string behind")}"',
    "a secret in a block string behind the operation": _VIEWER + f' """{canary("block behind")}"""',
    "a secret between arguments": f'{{ node(id: 1 "{canary("between")}") {{ id }} }}',
    "a secret number between arguments": "{ node(id: 1 " + "4" * 40 + ") { id } }",
}
NOTHING_TO_DO = {
    "no operation": "fragment F on User { id }",
    "a schema": "type Query { a: Int }",
    "an extension of the schema": "extend type Query { a: Int }",
    "several operations and no name": "query A { viewer { id } } query B { viewer { id } }",
    "two operations of one name": "query A { viewer { id } } query A { viewer { id } }",
    "a field of 65,000 letters": "{ " + "a" * 65_000 + " }",
    "a fragment of 60,000 letters": "{ ..." + "a" * 60_000 + " }",
    "an operation of 60,000 letters with an unknown field": "query " + "a" * 60_000 + " { a }",
    "a type of 60,000 letters": "query($a: " + "a" * 60_000 + ") { viewer { id } }",
    "a leaf with fields": "{ viewer { id { a } } }",
    "an object without fields": "{ viewer }",
    "an operation and a type": "type A { a: Int } " + _VIEWER,
    "a page of 60,000 digits": "{ backupDestinations(first: " + "9" * 60_000 + ") { totalCount } }",
    "a page of an exponent of 50,000 digits": "{ backupDestinations(first: 1e" + "9" * 50_000 + ") { totalCount } }",
    "790 long names that are not there": "{ viewer { " + " ".join("x" * 70 + str(n) for n in range(790)) + " } }",
}
TOO_MANY = {
    "three hundred types": " ".join(f"type T{number} {{ a: Int }}" for number in range(240)),
    "280 operations without names": _VIEWER * 280,
    "195 fields and a type behind them": "{ " + "viewer { id } " * 195 + "} type T { a: Int }",
}
TOO_LONG = {
    "65,537 bytes": _VIEWER + " " * (65_537 - len(_VIEWER)),
    "61,000 letters, 5,000 of them of two bytes": "# " + "é" * 5_000 + "a" * 56_000 + "\n" + _VIEWER,
    "a hundred kilobytes": "{ " + "a " * 50_000 + "}",
}
STRANGE = {
    "an ID of 64,000 empty lines": _NODE % ('"""' + "\n" * _LONG + '"""'),
    "an ID of 2,000 indented lines": _NODE % ('"""' + ("\n" + " " * 25 + "x") * 2_000 + '"""'),
    "an ID of 16,000 quotes": _NODE % ('"""' + '\\"""' * 16_000 + '"""'),
    "an ID of 30,000 astral letters in escapes": _NODE % ('"' + "\\u{1F600}" * 7_000 + '"'),
}
NO_ID = {
    "an ID of 64,000 letters": _NODE % ('"' + "x" * _LONG + '"'),
    "an ID of 64,000 digits": _NODE % ("9" * _LONG),
    "an ID of 10,000 escapes": _NODE % ('"' + "\\u0041" * 10_000 + '"'),
    "an ID of a control character": _NODE % '"\x07"',
    "an ID of 5,000 astral letters in escapes": _NODE % ('"' + "\\ud83d\\ude00" * 5_000 + '"'),
    "a secret for an ID": _NODE % f'"{canary("id")}"',
}

CASES = (
    *operations(PARSE, UNREADABLE),
    *operations(INVALID, NOTHING_TO_DO),
    *operations(INVALID, {"an operation of another name": "query A { viewer { id } }"}, operation_name="B" * 10_000),
    *operations(LIMIT, TOO_LONG),
    *operations(LIMIT, TOO_MANY),
    *operations(LIMIT, STRANGE),
    *operations(INPUT, NO_ID, executed=True),
)
