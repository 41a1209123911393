"""Bodies that call themselves JSON and are not, or are JSON that must be refused."""

import json

from .case import Case, canary
from .drafts import COLLECTION, LOCAL, UPDATE, draft, sending, without
from .expectations import (
    BAD_REQUEST,
    CREATED,
    LABEL_REQUIRED,
    OK,
    TYPE_REQUIRED,
    UNPROCESSABLE,
    Expectation,
    either,
    violating,
)

MALFORMED: dict[str, bytes] = {
    "cut off inside the object": b'{"label":"Hostile","type":"local"',
    "cut off inside a string": b'{"label":"Hostile","type":"loc',
    "cut off inside an escape": b'{"label":"Hostile","type":"local","x":"\\u12',
    "cut off after a colon": b'{"label":"Hostile","type":',
    "one opening brace": b"{",
    "one closing brace": b"}",
    "one opening bracket": b"[",
    "one quote": b'"',
    "mismatched brackets": b'{"label":"Hostile","type":"local","x":[1}',
    "a trailing comma in the object": b'{"label":"Hostile","type":"local",}',
    "a trailing comma in a list": b'{"label":"Hostile","type":"local","x":[1,]}',
    "a leading comma": b'{,"label":"Hostile","type":"local"}',
    "two commas": b'{"label":"Hostile",,"type":"local"}',
    "a missing comma": b'{"label":"Hostile" "type":"local"}',
    "a missing colon": b'{"label" "Hostile","type":"local"}',
    "an equals sign for a colon": b'{"label"="Hostile","type"="local"}',
    "single quotes": b"{'label':'Hostile','type':'local'}",
    "names without quotes": b'{label:"Hostile",type:"local"}',
    "a number as a name": b'{1:2,"label":"Hostile","type":"local"}',
    "null as a name": b'{null:2,"label":"Hostile","type":"local"}',
    "a line comment": b'{"label":"Hostile","type":"local"} // fine',
    "a block comment": b'{"label":"Hostile",/* */"type":"local"}',
    "a hash comment": b'# fine\n{"label":"Hostile","type":"local"}',
    "a plus sign before a number": b'{"label":"Hostile","type":"local","x":+1}',
    "a leading zero": b'{"label":"Hostile","type":"local","x":01}',
    "a number without its whole part": b'{"label":"Hostile","type":"local","x":.5}',
    "a number ending in a dot": b'{"label":"Hostile","type":"local","x":1.}',
    "a hexadecimal number": b'{"label":"Hostile","type":"local","x":0x1F}',
    "an exponent without digits": b'{"label":"Hostile","type":"local","x":1e}',
    "digits grouped with an underscore": b'{"label":"Hostile","type":"local","x":1_000}',
    "full-width digits": '{"label":"Hostile","type":"local","x":１２}'.encode(),
    "NaN": b'{"label":"Hostile","type":"local","x":NaN}',
    "Infinity": b'{"label":"Hostile","type":"local","x":Infinity}',
    "minus Infinity": b'{"label":"Hostile","type":"local","x":[-Infinity]}',
    "NaN as the boolean": b'{"label":"Hostile","type":"local","path_style_endpoint":NaN}',
    "a Python literal": b'{"label":"Hostile","type":"local","x":True}',
    "undefined": b'{"label":"Hostile","type":"local","x":undefined}',
    "a line feed inside a string": b'{"label":"Hos\ntile","type":"local"}',
    "a tab inside a string": b'{"label":"Hos\ttile","type":"local"}',
    "a NUL byte inside a string": b'{"label":"Hos\0tile","type":"local"}',
    "an escape byte inside a string": b'{"label":"Hos\x1b[31mtile","type":"local"}',
    "a hexadecimal escape": b'{"label":"\\x41","type":"local"}',
    "an escaped single quote": b'{"label":"it\\\'s","type":"local"}',
    "an escape with letters beyond f": b'{"label":"\\u00zz","type":"local"}',
    "an escape with a sign in it": b'{"label":"\\u+041","type":"local"}',
    "a NUL byte before the object": b'\0{"label":"Hostile","type":"local"}',
    "a NUL byte after the object": LOCAL + b"\0",
    "a form feed as white space": b'{"label":\f"Hostile","type":"local"}',
    "a no-break space as white space": b'{"label":\xc2\xa0"Hostile","type":"local"}',
    "a second closing brace": LOCAL + b"}",
    "a second object": LOCAL + LOCAL,
    "a second object on the next line": LOCAL + b"\n" + LOCAL,
    "words after the object": LOCAL + b" and more",
    "a call around the object": b"callback(" + LOCAL + b")",
    "an anti-hijacking prefix": b")]}',\n" + LOCAL,
    "XML": b"<destination><label>Hostile</label></destination>",
    "YAML": b"label: Hostile\ntype: local\n",
    "a serialized PHP array": b'a:1:{s:5:"label";s:7:"Hostile";}',
    "a pickle": b"\x80\x04}\x94(X\x05\x00\x00\x00labelX\x01\x00\x00\x00xu.",
}

NO_OBJECT: dict[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "false": b"false",
    "a number": b"123",
    "zero": b"0",
    "a string": b'"x"',
    "an empty string": b'""',
    "an empty list": b"[]",
    "a list of numbers": b"[1]",
    "a list of the object": b"[" + LOCAL + b"]",
    "a list of pairs": b'[["label","Hostile"],["type","local"]]',
}

DUPLICATES: dict[str, bytes] = {
    "two labels": b'{"label":"a","label":"b","type":"local"}',
    "the same label twice": b'{"label":"a","type":"local","label":"a"}',
    "a label after a null label": b'{"label":null,"type":"local","label":"a"}',
    "a second type": b'{"type":"local","label":"a","type":"s3"}',
    "a label spelled with an escape": b'{"label":"a","\\u006cabel":"b","type":"local"}',
    "an unknown field twice": b'{"label":"a","type":"local","x":1,"x":2}',
    "the empty name twice": b'{"label":"a","type":"local","":1,"":1}',
    "a field twice in an unknown object": b'{"label":"a","type":"local","x":{"y":1,"y":2}}',
    "a field twice deep in a list": b'{"label":"a","type":"local","x":[[{"y":[{"z":1,"z":1}]}]]}',
    "the prototype twice": b'{"label":"a","type":"local","__proto__":{},"__proto__":{}}',
}


def nested(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """A fine body whose unknown field brings the whole to this many levels, the object itself being the first."""
    depth = levels - 1
    return (
        b'{"label":"Hostile","type":"local","deep":'
        + opening * depth
        + b"1" * (opening != b"[")
        + closing * depth
        + b"}"
    )


DEEP: tuple[Case, ...] = (
    sending("json: 32 levels are fine", nested(32), CREATED),
    sending("json: 33 levels of lists", nested(33), BAD_REQUEST),
    sending("json: 33 levels of objects", nested(33, b'{"a":', b"}"), BAD_REQUEST),
    sending("json: 1,000 levels", nested(1_000), BAD_REQUEST),
    sending("json: 60,000 levels of lists", nested(60_000), BAD_REQUEST),
    sending("json: 20,000 levels of objects", nested(20_000, b'{"a":', b"}"), BAD_REQUEST),
    sending("json: 100,000 opening brackets and nothing else", b"[" * 100_000, BAD_REQUEST),
    sending("json: 20,000 opening objects and nothing else", b'{"a":' * 20_000, BAD_REQUEST),
    sending("json: 60,000 levels in a change", nested(60_000), BAD_REQUEST, UPDATE),
    sending("json: brackets inside a string are no levels", LOCAL[:-1] + b',"x":"' + b"[" * 500 + b'"}', CREATED),
    sending("json: 100 lists side by side are no levels", LOCAL[:-1] + b',"x":[' + b"[]," * 100 + b"[]]}", CREATED),
)

EMPTY: Expectation = violating({"label": LABEL_REQUIRED, "type": TYPE_REQUIRED})

PLAIN: tuple[Case, ...] = (
    sending("json: an empty body creates nothing", b"", EMPTY),
    sending("json: an empty body changes nothing", b"", OK, UPDATE),
    sending("json: an empty object creates nothing", b"{}", EMPTY),
    sending("json: an empty object changes nothing", b"{}", OK, UPDATE),
    sending("json: white space alone", b" \r\n\t ", either(400, 422)),
    sending("json: white space around the object", b"\r\n\t " + LOCAL + b" \r\n\t", CREATED),
    sending("json: fields that differ in case are not the same", LOCAL[:-1] + b',"Label":1,"TYPE":2}', CREATED),
    sending("json: fields in another case are unknown", b'{"LABEL":"x","Type":"local"}', EMPTY),
    sending("json: fields with spaces around are unknown", b'{" label":"x","type ":"local"}', EMPTY),
    sending(
        "json: fields in camel case are unknown",
        {**without(draft("local", "camel"), "label"), "Label": "x"},
        violating({"label": LABEL_REQUIRED}),
    ),
    sending("json: a data wrapper is not unwrapped", {"data": draft("local", "wrapped")}, EMPTY),
    sending("json: names with dots are no paths", {"label.x": 1, "a.type": "local"}, EMPTY),
    sending(
        "json: a 5,000 digit number as the label", b'{"type":"local","label":' + b"9" * 5_000 + b"}", either(400, 422)
    ),
    sending("json: an exponent beyond every float", b'{"type":"local","label":1e400}', either(400, 422)),
    sending("json: a 5,000 digit number in an unknown field", b'{"x":' + b"9" * 5_000 + b"}", either(400, 422)),
    sending("json: an integer beyond 64 bits as the type", {"label": "x", "type": 2**64}, UNPROCESSABLE),
    sending("json: a malformed body on a list may be ignored", b"{", either(200, 400), ("GET", COLLECTION)),
)

TORN = json.dumps(draft("s3", "json torn")).encode()[:-1]
TWO_SECRETS = TORN + f',"s3_secret_key":"{canary("json two secrets")}"}}'.encode()

CASES: tuple[Case, ...] = (
    *(sending(f"json malformed: {what}", body, BAD_REQUEST) for what, body in MALFORMED.items()),
    *(sending(f"json no object: {what}", body, BAD_REQUEST) for what, body in NO_OBJECT.items()),
    *(
        sending(f"json no object in a change: {what}", NO_OBJECT[what], BAD_REQUEST, UPDATE)
        for what in ("null", "an empty list", "a string")
    ),
    *(sending(f"json duplicate: {what}", body, BAD_REQUEST) for what, body in DUPLICATES.items()),
    sending("json duplicate: two labels in a change", b'{"label":"a","label":"a"}', BAD_REQUEST, UPDATE),
    sending("json malformed: cut off, in a change", b'{"label":"a', BAD_REQUEST, UPDATE),
    sending("json malformed: NaN, in a change", b'{"label":"a","x":NaN}', BAD_REQUEST, UPDATE),
    sending("json malformed: words after the object, in a change", b'{"label":"a"} x', BAD_REQUEST, UPDATE),
    sending("json malformed: a secret in what does not parse", TORN, BAD_REQUEST),
    sending("json duplicate: two secrets", TWO_SECRETS, BAD_REQUEST),
    *DEEP,
    *PLAIN,
)
