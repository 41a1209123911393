"""Page numbers and sizes that are not numbers, not sizes, or more than any database can count to."""

from .case import Case
from .drafts import COLLECTION, asking
from .expectations import OK, Expectation, parser_or

UNSENT: Expectation = parser_or(200, 400, 414, 431)
FIRST = {"current_page": 1, "per_page": 15, "total": 3}

NO_NUMBERS: dict[str, str] = {
    "nothing": "",
    "a name alone": "",
    "zero": "0",
    "minus one": "-1",
    "a word": "abc",
    "a fraction": "2.5",
    "an exponent": "2e0",
    "hexadecimal": "0x2",
    "an underscore": "1_0",
    "a thousands comma": "1,000",
    "a letter after it": "2a",
    "null": "null",
    "true": "true",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "a full-width digit": "%EF%BC%92",
    "an Arabic digit": "%D9%A2",
    "a superscript": "%C2%B2",
    "a NUL": "%00",
    "a NUL after it": "2%00",
    "a broken byte": "%FF",
    "a broken byte after it": "2%80",
    "an encoded surrogate": "%ED%A0%80",
    "a percent sign before no digits": "%zz",
    "a quote": "2'",
    "a condition": "2%20OR%201=1",
    "a list": "[2]",
    "JSON": "%7B%22a%22:2%7D",
    "a script": "%3Cscript%3E",
    "a line that starts a header": "2%0D%0ASet-Cookie:%20a=b",
    "a template": "$%7B7*7%7D",
    "a global id": "Mg==",
}

HUGE: dict[str, tuple[str, int]] = {
    "beyond the last": ("2", 2),
    "2^31": ("2147483648", 2_147_483_648),
    "2^53 + 1": ("9007199254740993", 9_007_199_254_740_993),
    "whose offset passes 64 bits": ("614891469123651722", 614_891_469_123_651_722),
    "2^63 - 1": ("9223372036854775807", 9_223_372_036_854_775_807),
    "2^63": ("9223372036854775808", 1),
    "2^64 + 2": ("18446744073709551618", 1),
    "-2^63": ("-9223372036854775808", 1),
    "of 5,000 digits": ("9" * 5_000, 1),
    "a minus sign and 5,000 digits": ("-" + "9" * 5_000, 1),
}

SIZES: dict[str, tuple[str, int]] = {
    "one": ("1", 1),
    "99": ("99", 99),
    "100": ("100", 100),
    "101": ("101", 100),
    "a million": ("1000000", 100),
    "2^31": ("2147483648", 100),
    "2^63": ("9223372036854775808", 100),
    "2^64": ("18446744073709551616", 100),
    "-2^63": ("-9223372036854775808", 15),
}


def page(**meta: int) -> Expectation:
    """Expect a page with this meta."""
    return {"status": 200, "meta": FIRST | meta}


def asked(name: str, query: str, expectation: Expectation) -> Case:
    """Ask for the list with a query."""
    return asking(f"page: {name}", f"{COLLECTION}?{query}", expectation)


# Spellings other software reads as numbers, or not: nothing may break, and both databases say the same.
UNDECIDED: tuple[Case, ...] = (
    asked("a sign before the number", "page=%2B2", OK),
    asked("a leading zero", "page=02", OK),
    asked("a space before the number", "page=+2", OK),
    asked("a line feed after the number", "page=2%0A", OK),
    asked("two numbers", "page=2&page=1", OK),
    asked("a size of 5,000 digits", "per_page=" + "9" * 5_000, OK),
    asked("a size with a leading zero", "per_page=05", OK),
    asked("two sizes", "per_page=1&per_page=2", OK),
    asked("a number after a semicolon", "per_page=2;page=2", OK),
    asked("an escaped name", "%70age=2", OK),
    asked("an escaped equals sign", "page%3D2", page()),
)

TOGETHER: tuple[Case, ...] = (
    asked(
        "the greatest number of the greatest size",
        "page=9223372036854775807&per_page=100",
        page(current_page=9_223_372_036_854_775_807, per_page=100),
    ),
    asked("the second of size two", "page=2&per_page=2", page(current_page=2, per_page=2)),
    asked("both wrong", "page=x&per_page=y", page()),
    asked("a wrong number of a right size", "page=x&per_page=2", page(per_page=2)),
    asked("numbers in lists", "page[]=2&per_page[]=2", page()),
    asked("numbers with keys", "page[number]=2&page[size]=1", page()),
    asked("names in capitals", "PAGE=2&Per_Page=1", page()),
    asked("names with hyphens", "per-page=1&page-number=2", page()),
    asked("names of others", "limit=1&offset=1&cursor=x&size=1&perPage=1", page()),
    asked("a name with a NUL", "page%00=2", page()),
    asked("a name with a space", "page%20=2", page()),
    asked("a broken name", "%FF=2&%80", page()),
    asked("ampersands alone", "&&&&", page()),
    asked("equals signs alone", "===&=", page()),
    asked("a question mark more", "?page=2", page()),
    asked("1,000 unknown names", "&".join(f"x{number}=1" for number in range(1_000)), page()),
    asked("an unknown value of 8,000 characters", "x=" + "a" * 8_000, page()),
    asked("another user", "user_id={foreign}&user=1&owner_id=1", page()),
    asked("a filter", "filter[user_id]=1&filter[type]=local&where=1", page()),
    asked("an order", "sort=-id&order=desc&order_by=s3_secret_key", page()),
    asked("more fields", "include=user,credentials&fields=s3_access_key,s3_secret_key&with=*", page()),
    asked("a callback", "callback=alert&format=html&_format=xml", page()),
    asked("a debug switch", "debug=1&XDEBUG_SESSION_START=1&trace=true", page()),
    asked("a method", "_method=DELETE", page()),
    asking("page: wrong numbers without the prefix", "/backup-destinations?page=x&per_page=-1", page()),
    asking("page: a list of 20,000 characters of query", f"{COLLECTION}?{'a' * 20_000}", UNSENT),
    asking("page: a number on one row", COLLECTION + "/{own}?page=x&per_page=0", OK),
    asked("a fragment in the target", "page=1#page=2", UNSENT),
)

CASES: tuple[Case, ...] = (
    *(
        asked(f"number {what}", "page" if what == "a name alone" else f"page={value}", page())
        for what, value in NO_NUMBERS.items()
    ),
    *(
        asked(f"size {what}", "per_page" if what == "a name alone" else f"per_page={value}", page())
        for what, value in NO_NUMBERS.items()
    ),
    *(asked(f"number {what}", f"page={value}", page(current_page=number)) for what, (value, number) in HUGE.items()),
    *(asked(f"size {what}", f"per_page={value}", page(per_page=size)) for what, (value, size) in SIZES.items()),
    *UNDECIDED,
    *TOGETHER,
)
