"""Ids in paths that are not a plain positive integer, or are of no row."""

from .case import Case
from .drafts import COLLECTION, JSON, asking, sending
from .expectations import NOT_FOUND, UNAUTHORIZED, either

ODD: dict[str, str] = {
    "missing": "{missing}",
    "zero": "0",
    "minus zero": "-0",
    "minus one": "-1",
    "with a sign": "+{own}",
    "with an escaped sign": "%2B{own}",
    "with a leading zero": "0{own}",
    "with a fraction": "{own}.0",
    "with a dot": "{own}.",
    "with an extension": "{own}.json",
    "with an exponent": "{own}e0",
    "hexadecimal": "0x1",
    "binary": "0b1",
    "octal": "0o7",
    "with an underscore": "1_0",
    "with a comma": "1,000",
    "two ids": "{own},{own_s3}",
    "a range": "{own}-{own_s3}",
    "with a space after it": "{own}%20",
    "with a space before it": "%20{own}",
    "a space": "%20",
    "with a line feed after it": "{own}%0A",
    "with a carriage return after it": "{own}%0D",
    "with a tab after it": "{own}%09",
    "with a NUL after it": "{own}%00",
    "a NUL": "%00",
    "with a path parameter": "{own};v=1",
    "with an escaped question mark": "{own}%3Fx=1",
    "with an escaped hash": "{own}%23",
    "with an escaped backslash": "{own}%5C",
    "with a letter": "{own}a",
    "a word": "abc",
    "null": "null",
    "true": "true",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "a verb": "create",
    "a wildcard": "*",
    "a full-width digit": "%EF%BC%91",
    "an Arabic digit": "%D9%A1",
    "a Bengali digit": "%E0%A7%A7",
    "a superscript": "%C2%B2",
    "a circled digit": "%E2%91%A0",
    "a Roman numeral": "%E2%85%A0",
    "a digit with an accent": "1%CC%81",
    "an invisible character after it": "{own}%E2%80%8B",
    "a broken byte": "%FF",
    "a broken byte after it": "{own}%80",
    "an encoded surrogate": "%ED%A0%80",
    "2^31": "2147483648",
    "2^32": "4294967296",
    "2^53 + 1": "9007199254740993",
    "2^63 - 1": "9223372036854775807",
    "2^63": "9223372036854775808",
    "2^64 + 1": "18446744073709551617",
    "-2^63": "-9223372036854775808",
    "of 400 digits": "9" * 400,
    "of 5,000 digits": "9" * 5_000,
    "a quote": "'",
    "a condition": "{own}%20OR%201=1",
    "a quoted condition": "1'%20OR%20'1'='1",
    "a second statement": "{own};DROP%20TABLE%20backup_destinations",
    "a UUID": "00000000-0000-0000-0000-000000000001",
    "a global id": "QmFja3VwRGVzdGluYXRpb246MQ==",
    "a list": "[{own}]",
    "an object": "%7B%22id%22:1%7D",
    "a placeholder": "%7Bid%7D",
    "a format": "%25s%25n",
    "a template": "$%7B7*7%7D",
    "escaped twice": "%2531",
}

CHANGED = (
    "missing",
    "zero",
    "minus one",
    "with a leading zero",
    "with a line feed after it",
    "with a NUL after it",
    "a word",
    "with a fraction",
    "a full-width digit",
    "a superscript",
    "2^31",
    "2^63 - 1",
    "2^63",
    "of 5,000 digits",
    "a broken byte",
    "a condition",
    "with a path parameter",
)
UNKNOWN = (
    "missing",
    "zero",
    "a word",
    "2^63",
    "of 5,000 digits",
    "a superscript",
    "a broken byte",
    "with a NUL after it",
)


def at(id_: str) -> str:
    """The path of an id."""
    return f"{COLLECTION}/{id_}"


UNPREFIXED: tuple[Case, ...] = tuple(
    asking(f"id: {what}, without the prefix", at(ODD[what]).removeprefix("/api"), NOT_FOUND)
    for what in ("missing", "a word", "2^63", "with a line feed after it")
)

ESCAPED: tuple[Case, ...] = (
    asking("id: a digit that is escaped is a digit", at("%39%39%39%39%39%39%39%39%39"), NOT_FOUND),
    asking("id: missing, with a query", at("{missing}?id={own}"), NOT_FOUND),
    asking("id: missing, with an own id in the body's place", at("{missing}?page=1&per_page=1"), NOT_FOUND),
    asking("id: missing, behind a slash", at("{missing}/"), either(301, 307, 308, 404)),
    sending("id: missing, with a wrong body", {"label": 1}, NOT_FOUND, ("PUT", at("{missing}"))),
    sending("id: missing, with an own id in the body", b'{"id":1,"label":"a"}', NOT_FOUND, ("PUT", at("{missing}"))),
    sending("id: missing, with a body that does not parse", b"{", NOT_FOUND, ("PUT", at("{missing}"))),
    sending("id: a word, with a body that does not parse", b"{", NOT_FOUND, ("PUT", at("abc"))),
    sending(
        "id: missing, with a body of text",
        b"a",
        NOT_FOUND,
        ("PUT", at("{missing}")),
        (("Content-Type", "text/plain"),),
    ),
    sending("id: missing, deleted with a body", {"id": 1}, NOT_FOUND, ("DELETE", at("{missing}"))),
)

CASES: tuple[Case, ...] = (
    *(asking(f"id: {what}", at(id_), NOT_FOUND) for what, id_ in ODD.items()),
    *(sending(f"id: {what}, changed", {"label": "Reached"}, NOT_FOUND, ("PUT", at(ODD[what]))) for what in CHANGED),
    *(
        Case(name=f"id: {what}, deleted", method="DELETE", path=at(ODD[what]), headers=JSON, **NOT_FOUND)
        for what in CHANGED
    ),
    *(
        Case(
            name=f"id: {what}, without a token", method=method, path=at(ODD[what]), authenticated=False, **UNAUTHORIZED
        )
        for what, method in zip(UNKNOWN, ("GET", "PUT", "DELETE", "GET", "PUT", "DELETE", "GET", "PUT"), strict=True)
    ),
    *UNPREFIXED,
    *ESCAPED,
)
