"""Random requests to the REST API: the right names with hostile values, in bodies that are whole, bent or broken."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st

from tests.support.api.destinations import LIST, TYPES, at, draft

CANARY = "cnry0f8d2b7e61"
"""Part of every credential that is sent, and of nothing else."""
JSON_TYPE, FORM_TYPE = "application/json", "application/x-www-form-urlencoded"
SECRET_FIELDS = ("s3_access_key", "s3_secret_key")
OTHER_FIELDS = ("label", "type", "s3_bucket_name", "custom_s3_region", "custom_s3_endpoint", "path_style_endpoint")
STRANGE_FIELDS = (
    "s3_region",
    "s3_endpoint",
    "id",
    "user_id",
    "created_at",
    "type_human",
    "uid",
    "_method",
    "",
    "label\0",
)
LENGTHS = ("", " ", "x" * 255, "x" * 256, "é" * 255, "🗄" * 255, "🗄" * 256, " " * 300 + "x", "x" * 2049)
TEXTS = (
    *("\t\n", "0", "1", "true", "null", "s3", " s3 ", "S3", "custom_s3", "local", "amazon_s3", "\\", '"', "a\r\nb: c"),
    *("a\0b", "\x7f", "\ud800", "\udc00x", "\ufeff", "\u202ereversed", "e\u0301", "ﷺ", "\u200b"),
    *("' OR 1=1 --", "%s %(x)s {x} $1", "<script>alert(1)</script>", "../../etc/passwd"),
)
URLS = (
    *("https://s3.example.com", "HTTPS://S3.example.com:443/a?b=c", "http://[::1]:9000", "http://127.1/"),
    *("https://é.example", "ftp://s3.example.com", "https://", "//s3.example.com", "https://s3.example.com:99999"),
    *("https://user:pass@s3.example.com", "https://s3.example.com/#part", "http://[::1", "https://s3.example.com:x"),
    *("https://s3.example.com/" + "p" * 2025, "https://s3.example.com/" + "p" * 2026, "https://" + "a." * 130),
)
NUMBERS = (0, 1, 2, -1, 1.5, 1.0, 10**18, 10**40, 2**63, -0.0, 1e300)
HEADERS = {
    "accept": ["text/html", "*/*", "application/xml;q=0.1"],
    "prefer": ["return=minimal", "return=representation", ";;,="],
    "x-forwarded-host": ["evil.example"],
    "x-http-method-override": ["DELETE", "PUT"],
    "accept-encoding": ["identity", "gzip;q=0", "br"],
    "origin": ["https://evil.example", "null"],
    "range": ["bytes=0-3"],
    "expect": ["nothing"],
}
CONTENT_TYPES = (
    *(JSON_TYPE, FORM_TYPE, "application/json; charset=utf-8", "application/json;charset=utf-16", "text/plain", ""),
    *("multipart/form-data; boundary=x", "APPLICATION/JSON ; x=y", "application/merge-patch+json", ";"),
)
BROKEN = (
    b"",
    b" ",
    b"null",
    b"[]",
    b"1",
    b'"s3"',
    b"{",
    b"\xff\xfe",
    b'{"label":NaN}',
    b"[" * 5_000,
    b"a=%ff",
    b"=&=&;",
)
ODD_IDS = ("0", "-1", "01", "abc", "1.0", "2147483648", "9" * 25, "%00", "%ff", "١", "..%2f1", "1/2", "1;x", " 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request whose path may hold `{own}`, `{foreign}` and `{missing}`; `kind` is the type the own row has before."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    kind: str


SECRETS: tuple[object, ...] = (
    *(CANARY, f" {CANARY} ", CANARY * 20, CANARY + "\0", CANARY + "\ud800", [CANARY], {"value": CANARY}, None, 7, ""),
)


def random_request(random: Random) -> Request:
    """One request; most are writes to an address where they work."""
    method = random.choice((*["POST"] * 6, *["PUT"] * 7, "GET", "GET", "DELETE", "HEAD", "PATCH"))
    headers = {name: random.choice(HEADERS[name]) for name in HEADERS if random.random() < 0.1}
    content_type, body = _body(random) if method in ("POST", "PUT", "PATCH") else ("", b"")
    headers |= {"content-type": content_type} if content_type else {}
    return Request(method=method, path=_path(random, method), headers=headers, body=body, kind=random.choice(TYPES))


# Its own draws repeat themselves too often among so few examples: Hypothesis chooses the seeds alone.
requests = st.randoms(use_true_random=True).map(random_request)


def _text(random: Random, name: str) -> str:
    """A hostile text, for the field of that name."""
    if random.random() < 0.2:
        return "".join(
            chr(random.randrange(random.choice((0x80, 0x3000, 0x110000)))) for _ in range(random.randrange(12))
        )
    return random.choice(URLS if name.endswith("endpoint") else random.choice((LENGTHS, TEXTS)))


def _value(random: Random, name: str, depth: int = 0) -> object:
    """A hostile value, for the field of that name."""
    if depth < 2 and random.random() < 0.1:
        inner = [_value(random, name, depth + 1) for _ in range(random.randrange(3))]
        return random.choice((inner, {"$ne": inner}, dict(enumerate(inner))))
    return _text(random, name) if random.random() < 0.75 else random.choice((None, True, False, *NUMBERS))


def _fields(random: Random) -> dict[str, Any]:
    """The fields of a good request, with a hostile value, a strange field or a gap now and then."""
    fields: dict[str, Any] = {"label": "Renamed", "s3_bucket_name": "renamed"}
    if random.random() < 0.75:
        fields = draft(random.choice(TYPES), s3_access_key=CANARY, s3_secret_key=CANARY)
    if random.random() < 0.2:
        fields[random.choice(SECRET_FIELDS)] = random.choice(SECRETS)
    if random.random() < 0.5:
        name = random.choice(OTHER_FIELDS)
        fields[name] = _value(random, name)
    if random.random() < 0.2:
        name = random.choice(STRANGE_FIELDS)
        fields[name] = _value(random, name)
    if random.random() < 0.1:
        fields.pop(random.choice((*OTHER_FIELDS, *SECRET_FIELDS)), None)
    return fields


def _body(random: Random) -> tuple[str, bytes]:
    """A Content-Type and a body, which mostly fit together."""
    fields = _fields(random)
    match random.randrange(12):
        case 0:
            return random.choice((JSON_TYPE, FORM_TYPE)), random.choice((*BROKEN, random.randbytes(20)))
        case 1:
            return random.choice(CONTENT_TYPES), json.dumps(fields).encode()
        case 2:
            return JSON_TYPE, json.dumps(fields).encode().replace(b"{", b'{"label":"first","label":"twice",', 1)
        case 3 | 4 | 5:
            pairs = {name: int(value) if isinstance(value, bool) else value for name, value in fields.items()}
            return FORM_TYPE, urlencode(pairs, errors="surrogatepass").encode()
        case _:
            text = json.dumps(fields, ensure_ascii=random.random() < 0.5)
            return JSON_TYPE, text.encode("utf-8", "surrogatepass")


def _path(random: Random, method: str) -> str:
    """Mostly an address where the method works, with a query now and then."""
    own = at("{own}")
    usual = LIST if method == "POST" else own
    match random.randrange(10):
        case 0:
            path = random.choice((*map(at, ODD_IDS), "/api", "/api//", LIST + "//", "/%2e%2e/api"))
        case 1:
            path = random.choice((LIST, own, at("{foreign}"), at("{missing}")))
        case 2:
            path = random.choice((usual + "/", usual.removeprefix("/api")))
        case _:
            path = random.choice((LIST, own)) if method in ("GET", "HEAD") else usual
    if random.random() < 0.75:
        return path
    names = ("page", "per_page", "_method", "api_token", "label")
    query = {random.choice(names): random.choice((_text(random, "query"), "2", "-1", "9" * 30)) for _ in range(2)}
    return f"{path}?{urlencode(query, errors='surrogatepass')}"
