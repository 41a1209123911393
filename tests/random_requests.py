"""Random requests to the REST door: the right names with hostile values, in bodies that are whole, bent or broken."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st

from tests.destinations import LIST, TYPES, at, draft

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
TEXTS = (
    *("", " ", "\t\n", "0", "1", "true", "null", "s3", " s3 ", "S3", "custom_s3", "local", "amazon_s3"),
    *("x" * 255, "x" * 256, "é" * 255, "🗄" * 255, "🗄" * 256, "a\0b", "\x7f", "a\r\nb: c"),
    *("\ud800", "\udc00x", "\ufeff", "\u202ereversed", "e\u0301", "ﷺ", "\u200b"),
    *("' OR 1=1 --", "%s %(x)s {x} $1", "<script>alert(1)</script>", "\\", '"', "../../etc/passwd"),
    *("https://s3.example.com", "HTTPS://S3.example.com:443/a?b=c", "http://[::1]:9000", "http://127.1/"),
    *("https://é.example", "ftp://s3.example.com", "https://", "//s3.example.com", "https://s3.example.com:99999"),
    *("https://user:pass@s3.example.com", "https://s3.example.com/#part"),
    *("https://s3.example.com/" + "p" * 2025, "https://s3.example.com/" + "p" * 2026),
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


_texts = st.sampled_from(TEXTS) | st.text(max_size=12)
_nested = st.recursive(
    st.sampled_from((None, True, *NUMBERS, *TEXTS)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(("a", "$ne", "0")), inner, max_size=2),
    max_leaves=3,
)
_values = _texts | st.sampled_from((None, True, False, *NUMBERS)) | _nested
_secrets = st.sampled_from(
    (CANARY, f" {CANARY} ", CANARY * 20, CANARY + "\0", CANARY + "\ud800", [CANARY], {"value": CANARY}, None, 7, "")
)


@st.composite
def _fields(draw: st.DrawFn) -> dict[str, Any]:
    """The fields of a good request, or of none, with a hostile value, a strange field or a gap now and then."""
    fields: dict[str, Any] = {}
    if _once_in(draw, 5):
        fields |= {"label": "Renamed", "s3_bucket_name": "renamed"}
    else:
        fields |= draft(draw(st.sampled_from(TYPES)), s3_access_key=CANARY, s3_secret_key=CANARY)
    for names, values, times in (
        (SECRET_FIELDS, _secrets, 4),
        (OTHER_FIELDS, _values, 2),
        (STRANGE_FIELDS, _values, 4),
    ):
        if _once_in(draw, times):
            fields[draw(st.sampled_from(names))] = draw(values)
    if _once_in(draw, 6):
        fields.pop(draw(st.sampled_from((*OTHER_FIELDS, *SECRET_FIELDS))), None)
    return fields


def _once_in(draw: st.DrawFn, times: int) -> bool:
    return draw(st.integers(1, times)) == times


def _as_form(fields: dict[str, Any]) -> bytes:
    pairs = {name: str(int(value)) if isinstance(value, bool) else str(value) for name, value in fields.items()}
    return urlencode(pairs, errors="surrogatepass").encode()


@st.composite
def _bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """A Content-Type and a body, which mostly fit together."""
    fields = draw(_fields())
    match draw(st.integers(0, 11)):
        case 11:
            return draw(st.sampled_from((JSON_TYPE, FORM_TYPE))), draw(st.sampled_from(BROKEN) | st.binary(max_size=20))
        case 10:
            return draw(st.sampled_from(CONTENT_TYPES)), json.dumps(fields).encode()
        case 9:
            return JSON_TYPE, json.dumps(fields).encode().replace(b"{", b'{"label":"first","label":"twice",', 1)
        case 6 | 7 | 8:
            return FORM_TYPE, _as_form(fields)
        case _:
            return JSON_TYPE, json.dumps(fields, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@st.composite
def _paths(draw: st.DrawFn, method: str) -> str:
    """Mostly an address where the method works, with a query now and then."""
    own = at("{own}")
    usual = LIST if method == "POST" else own
    match draw(st.integers(0, 9)):
        case 9:
            path = draw(st.sampled_from([at(id_) for id_ in ODD_IDS] + ["/api", "/api//", LIST + "//", "/%2e%2e/api"]))
        case 8:
            path = draw(st.sampled_from((LIST, own, at("{foreign}"), at("{missing}"))))
        case 7:
            path = draw(st.sampled_from((usual + "/", usual.removeprefix("/api"))))
        case _:
            path = draw(st.sampled_from((LIST, own))) if method in ("GET", "HEAD") else usual
    if not _once_in(draw, 4):
        return path
    names = st.sampled_from(("page", "per_page", "_method", "api_token", "label"))
    query = draw(st.dictionaries(names, _texts | st.sampled_from(("2", "-1", "9" * 30)), max_size=2))
    return f"{path}?{urlencode(query, errors='surrogatepass')}"


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """One request; most are writes."""
    method = draw(st.sampled_from((*["POST"] * 6, *["PUT"] * 7, *["GET"] * 3, "DELETE", "DELETE", "HEAD", "PATCH")))
    numbers = draw(st.dictionaries(st.sampled_from(sorted(HEADERS)), st.integers(0, 2), max_size=2))
    headers = {name: HEADERS[name][number % len(HEADERS[name])] for name, number in numbers.items()}
    content_type, body = draw(_bodies()) if method in ("POST", "PUT", "PATCH") else ("", b"")
    headers |= {"content-type": content_type} if content_type else {}
    return Request(
        method=method, path=draw(_paths(method)), headers=headers, body=body, kind=draw(st.sampled_from(TYPES))
    )
