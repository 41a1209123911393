"""Headers that ask for another format or method, or are too many, too long or no headers at all."""

from .case import Case
from .drafts import COLLECTION, CREATE, JSON, LOCAL, OWN, UPDATE, asking, sending
from .expectations import (
    LABEL_REQUIRED,
    NO_CONTENT,
    NO_ROUTE,
    NOT_ALLOWED,
    NOT_FOUND,
    NOT_HTTP,
    OK,
    TYPE_REQUIRED,
    UNAUTHORIZED,
    Expectation,
    created,
    either,
    parser_or,
    updated,
    violating,
)

LOCAL_ROW = COLLECTION + "/{own_local}"
MISSING = COLLECTION + "/{missing}"
HEAD_TOO_LARGE: Expectation = parser_or(400, 431)

ACCEPTS: dict[str, str] = {
    "a page": "text/html",
    "what a browser accepts": "text/html,application/xhtml+xml,application/xml;q=0.9",
    "nothing": "*/*;q=0",
    "no JSON": "application/json;q=0, text/html",
    "XML": "application/xml",
    "an image": "image/png",
    "a stream": "text/event-stream",
    "an empty word": "",
    "no media type": "garbage",
    "a negative quality": "application/json;q=-1",
    "4,000 types": ",".join(["a/b"] * 1_000),
}

# None of these may change what a list says.
IGNORED: dict[str, tuple[str, str]] = {
    "a forwarded host": ("X-Forwarded-Host", "evil.example"),
    "a forwarded scheme": ("X-Forwarded-Proto", "https"),
    "a forwarded port": ("X-Forwarded-Port", "81"),
    "a forwarded prefix": ("X-Forwarded-Prefix", "//evil.example"),
    "a forwarded everything": ("Forwarded", "for=127.0.0.1;host=evil.example;proto=https"),
    "a forwarded address": ("X-Forwarded-For", "127.0.0.1, evil.example"),
    "a forwarded address that is none": ("X-Forwarded-For", "'; DROP TABLE users; --"),
    "a forwarded address without end": ("X-Forwarded-For", "1.1.1.1, " * 800),
    "a real address": ("X-Real-IP", "127.0.0.1"),
    "another host by another name": ("X-Host", "evil.example"),
    "another path": ("X-Original-URL", "/api/docs"),
    "a rewritten path": ("X-Rewrite-URL", "/api/openapi.json"),
    "a method": ("X-HTTP-Method-Override", "DELETE"),
    "a method by another name": ("X-Method-Override", "POST"),
    "another user": ("X-User-Id", "1"),
    "a remote user": ("Remote-User", "root"),
    "a cookie": ("Cookie", "moorings_session=1; laravel_session=x; XSRF-TOKEN=x"),
    "a broken cookie": ("Cookie", '=;;;"\\; a=\xff'),
    "a page's origin": ("Origin", "https://evil.example"),
    "no origin": ("Origin", "null"),
    "a referrer": ("Referer", "https://evil.example/"),
    "a script's request": ("X-Requested-With", "XMLHttpRequest"),
    "a range": ("Range", "bytes=0-1"),
    "a range of nothing": ("Range", "bytes=9-1,-,a-b"),
    "an unknown encoding": ("Accept-Encoding", "klingon, *;q=0"),
    "an unknown language": ("Accept-Language", "../../etc/passwd"),
    "an unknown charset": ("Accept-Charset", "utf-16"),
    "an agent that looks something up": ("User-Agent", "${jndi:ldap://127.0.0.1/a}"),
    "an agent that leaves its shell": ("User-Agent", "() { :;}; echo hostile"),
    "an agent of bytes": ("User-Agent", "\xff\xfe\x80"),
    "no agent": ("User-Agent", ""),
    "a tag that is no tag": ("If-None-Match", "garbage"),
    "5,000 characters of tags": ("If-None-Match", '"a",' * 1_250),
    "a day that never was": ("If-Modified-Since", "Thu, 32 Foo 99999 25:61:61 GMT"),
    "a trace": ("Traceparent", "00-zz-zz-zz"),
    "a request id that starts a line": ("X-Request-Id", "a%0d%0aSet-Cookie: a=b"),
    "a request id of 4,000 characters": ("X-Request-Id", "a" * 4_000),
    "a preference": ("Prefer", "return=minimal, respond-async, wait=100"),
    "an upgrade": ("Upgrade", "h2c"),
    "a hop-by-hop authorization": ("Proxy-Authorization", "Basic cm9vdDpyb290"),
    "a wish for trailers": ("TE", "trailers, deflate;q=0.5"),
    "a header of punctuation": ("!#$%&'*+-.^_`|~", "x"),
}

NO_HEADERS: tuple[tuple[str, tuple[str, str]], ...] = (
    ("a NUL in a value", ("X-Hostile", "a\0b")),
    ("a carriage return in a value", ("X-Hostile", "a\rb")),
    ("a line without a colon", ("X-Hostile: a\r\nnothing here\r\nX-Hostile", "b")),
    ("a space in a name", ("X Hostile", "a")),
    ("a space after a name", ("X-Hostile ", "a")),
    ("brackets in a name", ("X-(Hostile)", "a")),
    ("a byte beyond ASCII in a name", ("X-H\xf6stile", "a")),
    ("a NUL in a name", ("X-\0", "a")),
    ("no name", ("", "a")),
)


def deleting(name: str, expectation: Expectation, *headers: tuple[str, str]) -> Case:
    """A deletion with headers."""
    return Case(name=f"header: {name}", method="DELETE", path=LOCAL_ROW, headers=headers, **expectation)


FORMATS: tuple[Case, ...] = (
    *(asking(f"header: accepts {what}", MISSING, NOT_FOUND, (("Accept", accept),)) for what, accept in ACCEPTS.items()),
    sending(
        "header: accepts a page of violations",
        {},
        violating({"label": LABEL_REQUIRED, "type": TYPE_REQUIRED}),
        CREATE,
        (*JSON, ("Accept", "text/html")),
    ),
    asking("header: accepts a page of nowhere", "/api/nowhere", NO_ROUTE, (("Accept", "text/html"),)),
    Case(
        name="header: accepts a page of a refused method",
        method="DELETE",
        path=COLLECTION,
        headers=(("Accept", "text/html"),),
        **NOT_ALLOWED,
    ),
    Case(
        name="header: accepts a page without a token",
        method="GET",
        path=COLLECTION,
        headers=(("Accept", "text/html"),),
        authenticated=False,
        **UNAUTHORIZED,
    ),
    asking("header: accepts a page of rows", COLLECTION, OK, (("Accept", "text/html"),)),
)

WISHES: tuple[Case, ...] = (
    deleting("a deletion without a word", NO_CONTENT, ("Prefer", "return=minimal")),
    deleting("a deletion in words", OK, ("Prefer", "return=representation")),
    deleting("a deletion later", OK, ("Prefer", "respond-async")),
    deleting("a deletion with a broken wish", OK, ("Prefer", '=;,"')),
    deleting("a deletion that says it reads", OK, ("X-HTTP-Method-Override", "GET")),
    sending(
        "header: a change without a word",
        {"label": "a"},
        updated(label="a"),
        UPDATE,
        (*JSON, ("Prefer", "return=minimal")),
    ),
    sending(
        "header: a creation without a word", LOCAL, created(type="local"), CREATE, (*JSON, ("Prefer", "return=minimal"))
    ),
    sending(
        "header: a creation that says it deletes",
        LOCAL,
        created(type="local"),
        CREATE,
        (*JSON, ("X-HTTP-Method-Override", "DELETE")),
    ),
    sending(
        "header: a creation that says it changes",
        {"label": "a"},
        NOT_ALLOWED,
        ("POST", OWN),
        (*JSON, ("X-HTTP-Method-Override", "PUT")),
    ),
    asking("header: a look that says it deletes", OWN, OK, (("X-HTTP-Method-Override", "DELETE"),)),
)

HEADS: tuple[Case, ...] = (
    *(asking(f"header: {what}", COLLECTION, NOT_HTTP, (header,)) for what, header in NO_HEADERS),
    asking("header: a value of 20,000 characters", COLLECTION, HEAD_TOO_LARGE, (("X-Hostile", "a" * 20_000),)),
    asking("header: a name of 20,000 characters", COLLECTION, HEAD_TOO_LARGE, (("X" * 20_000, "a"),)),
    asking("header: a value of a megabyte", COLLECTION, HEAD_TOO_LARGE, (("X-Hostile", "a" * 1_000_000),)),
    asking("header: 200 headers", COLLECTION, HEAD_TOO_LARGE, tuple((f"X-{number}", "a") for number in range(200))),
    asking(
        "header: 20,000 headers", COLLECTION, HEAD_TOO_LARGE, tuple((f"X-{number}", "a") for number in range(20_000))
    ),
    asking("header: one header 200 times", COLLECTION, HEAD_TOO_LARGE, (("X-Hostile", "a"),) * 200),
    asking("header: 60 headers are not too many", COLLECTION, OK, tuple((f"X-{number}", "a") for number in range(60))),
    sending(
        "header: a body that waits to be called",
        LOCAL,
        created(type="local"),
        CREATE,
        (*JSON, ("Expect", "100-continue")),
    ),
    sending("header: a body that expects wonders", b"{", either(400, 417), CREATE, (*JSON, ("Expect", "wonders"))),
    sending(
        "header: a body compressed by its word alone",
        {"type": "local"},
        either(415),
        CREATE,
        (*JSON, ("Content-Encoding", "gzip")),
    ),
    sending(
        "header: a body in an unknown coding",
        {"type": "local"},
        either(415),
        CREATE,
        (*JSON, ("Content-Encoding", "klingon")),
    ),
)

CASES: tuple[Case, ...] = (
    *FORMATS,
    *(asking(f"header: {what} is ignored", COLLECTION, OK, (header,)) for what, header in IGNORED.items()),
    *WISHES,
    *HEADS,
)
