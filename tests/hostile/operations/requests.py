"""HTTP requests that are no GraphQL: bodies, content types, methods, what they accept, and who sends them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson

from tests.hostile.operations.case import INPUT, INVALID, LIMIT, NOBODY, PARSE, REQUEST, Request
from tests.hostile.rest.case import canary

JSON = ("Content-Type", "application/json")
GRAPHQL = ("Accept", "application/graphql-response+json")
_QUERY = b'{"query": "{ viewer { id } }"}'
_FORM = b"query=%7B+viewer+%7B+id+%7D+%7D"
_PARTS = b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n' + _QUERY + b"\r\n--x--\r\n"

BODIES = {
    "no body": b"",
    "white space": b" \r\n\t",
    "null": b"null",
    "a number": b"123",
    "a string": b'"{ viewer { id } }"',
    "true": b"true",
    "an empty list": b"[]",
    "a batch of one": b"[" + _QUERY + b"]",
    "a batch of a thousand": b"[" + b",".join([_QUERY] * 1_000) + b"]",
    "an empty object": b"{}",
    "a query of null": b'{"query": null}',
    "a query of white space": b'{"query": " "}',
    "a query that is a number": b'{"query": 1}',
    "a query that is a list": b'{"query": ["{ viewer { id } }"]}',
    "a query that is an object": b'{"query": {"kind": "Document"}}',
    "an empty hash instead of a query": b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": ""}}}',
    "variables that are a list": b'{"query": "{ viewer { id } }", "variables": []}',
    "variables that are a string": b'{"query": "{ viewer { id } }", "variables": "{}"}',
    "variables that are a number": b'{"query": "{ viewer { id } }", "variables": 0}',
    "extensions that are a list": b'{"query": "{ viewer { id } }", "extensions": [1]}',
    "an operation name that is a number": b'{"query": "{ viewer { id } }", "operationName": 1}',
    "an operation name that is a list": b'{"query": "{ viewer { id } }", "operationName": ["A"]}',
    "half of an object": _QUERY[:-1],
    "an object and more": _QUERY + b"}",
    "two objects": _QUERY + b"\n" + _QUERY,
    "single quotes": b"{'query': '{ viewer { id } }'}",
    "a trailing comma": b'{"query": "{ viewer { id } }",}',
    "a comment": _QUERY + b" // viewer",
    "a document without JSON": b"{ viewer { id } }",
    "a secret that is no JSON": b'{"query": ' + canary("no JSON").encode() + b"}",
    "NaN": b'{"query": "{ viewer { id } }", "variables": {"a": NaN}}',
    "Infinity": b'{"query": "{ viewer { id } }", "variables": {"a": -Infinity}}',
    "a number with a leading zero": b'{"query": "{ viewer { id } }", "variables": {"a": 01}}',
    "a number of 5,000 digits": b'{"query": "{ viewer { id } }", "variables": {"a": ' + b"9" * 5_000 + b"}}",
    "a byte that is no UTF-8": b'{"query": "{ viewer { id } } # \xff"}',
    "an overlong slash": b'{"query": "{ viewer { id } } # \xc0\xaf"}',
    "half a letter": b'{"query": "{ viewer { id } } # \xc3"}',
    "a surrogate in UTF-8": b'{"query": "{ viewer { id } } # \xed\xa0\x80"}',
    "a lone surrogate, escaped": b'{"query": "{ viewer { id } } # \\ud800"}',
    "a lone surrogate in a name": b'{"query": "{ viewer { id } }", "\\udc00": 1}',
    "UTF-16": '{"query": "{ viewer { id } }"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + _QUERY,
    "compressed": b"\x1f\x8b\x08\x00" + _QUERY,
    "a control character in a string": b'{"query": "{ viewer { id } }\x01"}',
    "100,000 brackets": b"[" * 100_000,
    "60,000 closed brackets": b"[" * 60_000 + b"]" * 60_000,
    "20,000 objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "variables forty deep": b'{"query": "{ viewer { id } }", "variables": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}",
    "extensions of 10,000 names": b'{"query": "{ viewer { id } }", "extensions": {'
    + b",".join(b'"x%d":1' % number for number in range(10_000))
    + b"}}",
}
TYPES = {
    "no content type": (),
    "text/plain": (("Content-Type", "text/plain"),),
    "a form": (("Content-Type", "application/x-www-form-urlencoded"),),
    "a form with files": (("Content-Type", "multipart/form-data; boundary=x"),),
    "application/jsonx": (("Content-Type", "application/jsonx"),),
    "application/json-patch+json": (("Content-Type", "application/json-patch+json"),),
    "application/graphql": (("Content-Type", "application/graphql"),),
    "application/graphql+json": (("Content-Type", "application/graphql+json"),),
    "text/plain that names JSON": (("Content-Type", "text/plain; application/json"),),
    "text/plain before JSON": (("Content-Type", "text/plain, application/json"),),
    "JSON twice": (JSON, JSON),
    "JSON and a form": (JSON, ("Content-Type", "application/x-www-form-urlencoded")),
    "JSON in Latin-1": (("Content-Type", "application/json; charset=latin-1"),),
    "JSON in UTF-16": (("Content-Type", "application/json; charset=utf-16"),),
    "an empty content type": (("Content-Type", ""),),
    "a semicolon": (("Content-Type", ";"),),
    "a wildcard": (("Content-Type", "application/*"),),
}
ACCEPTS = {
    "only HTML": "text/html",
    "an image": "image/png, image/*;q=0.8",
    "JSON of quality 0": "application/json;q=0",
    "JSON in another charset": "application/json; charset=iso-8859-1",
    "multipart/mixed alone": "multipart/mixed",
    "no type at all": ";",
    "a thousand types": ", ".join(f"a/b{number}" for number in range(1_000)),
    "a quality that is no number": "application/json;q=high",
    "a type like ours": "application/jsonx, application/graphql-response+jsonx",
}
METHODS = ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "PROPFIND")
MUTATION = 'mutation { createBackupDestination(input: {local: {label: "a"}}) { __typename } }'
_TOO_DEEP = "{ __schema { types { " + "ofType { " * 15 + "name" + " }" * 18
LINKS: dict[str, tuple[str, int, Any]] = {
    "a mutation in a link": (f"query={quote(MUTATION)}", 405, REQUEST),
    "a named mutation in a link": (
        f"query={quote('query A { viewer { id } } ' + MUTATION.replace('mutation', 'mutation B'))}&operationName=B",
        405,
        REQUEST,
    ),
    "a link without a query": ("", 400, REQUEST),
    "a link with an empty query": ("query=", 400, REQUEST),
    "a query twice": (f"query={quote('{ viewer { id } }')}&query={quote(MUTATION)}", 400, REQUEST),
    "variables that are no JSON": (f"query={quote('{ viewer { id } }')}&variables=%7B", 400, REQUEST),
    "variables that are a list": (f"query={quote('{ viewer { id } }')}&variables=%5B%5D", 400, REQUEST),
    "bytes that are no UTF-8": ("query=%7B%FF%7D", 400, REQUEST),
    "fifty parameters": ("&".join(f"p{number}=1" for number in range(50)), 400, REQUEST),
    "a document that cannot be read": ("query=%7B", 400, PARSE),
    "a document that is not valid": (f"query={quote('{ secrets }')}", 400, INVALID),
    "a document that is too deep": (f"query={quote(_TOO_DEEP)}", 400, LIMIT),
    "a variable that does not fit": (
        f"query={quote('query($a: Int) { events(first: $a) { edges { cursor } } }')}&variables=%7B%22a%22:%22x%22%7D",
        400,
        INPUT,
    ),
}  # fmt: skip
_LIMIT = 131_072
_BIG = b'{"query": "{ viewer { id } }", "a": "' + b"x" * 10_000_000 + b'"}'
_STRANGERS = {
    "no token": (),
    "another scheme": (("Authorization", "Basic YTpi"),),
    "a token of nobody": (("Authorization", f"Bearer 1|mrg_{'a' * 46}"),),
    "a token that is a secret": (("Authorization", f"Bearer {canary('token')}"),),
    "two tokens": (("Authorization", "Bearer a"), ("Authorization", "Bearer b")),
    "an empty token": (("Authorization", "Bearer "),),
    "a token of 8,000 letters": (("Authorization", "Bearer " + "a" * 8_000),),
}


def _cases() -> Iterator[Request]:
    for name, body in BODIES.items():
        yield Request(name=f"a body: {name}", body=body, status=400, code=REQUEST)
    for name, headers in TYPES.items():
        body = _FORM if "form" in name and "files" not in name else _PARTS if "files" in name else _QUERY
        yield Request(name=f"a content type: {name}", headers=headers, body=body, status=415, code=REQUEST)
    for name, accept in ACCEPTS.items():
        yield Request(name=f"accepting {name}", headers=(JSON, ("Accept", accept)), status=406, code=REQUEST)
    for method in METHODS:
        yield Request(name=f"the method {method}", method=method, status=405, code=REQUEST)
    for name, (query, status, code) in LINKS.items():
        yield Request(
            name=f"a link: {name}",
            method="GET",
            target=f"/graphql?{query}",
            headers=(GRAPHQL,),
            body=b"",
            status=status,
            code=code,
        )
    for name, headers in _STRANGERS.items():
        yield Request(name=f"from {name}", headers=(JSON, *headers), with_token=False, status=401, code=NOBODY)
    chunked = (JSON, ("Transfer-Encoding", "chunked"))
    chunks = b"".join(b"10000\r\n" + b"x" * 65_536 + b"\r\n" for _ in range(40)) + b"0\r\n\r\n"
    yield Request(name="a body of 10 MB", body=_BIG, status=413, code=REQUEST)
    yield Request(name="a body of 128 KiB and a byte", body=_QUERY.ljust(_LIMIT + 1), status=413, code=REQUEST)
    yield Request(name="a body in chunks of 2.6 MB", headers=chunked, body=chunks, status=413, code=REQUEST)
    yield Request(name="a body of 128 KiB of brackets", body=b"[" * _LIMIT, status=400, code=REQUEST)
    yield Request(
        name="a token in the link",
        method="GET",
        target="/graphql?" + f"query={quote('{ viewer { id } }')}&token={canary('link')}",
        headers=(),
        body=b"",
        with_token=False,
        status=401,
        code=NOBODY,
    )
    yield Request(name="a link of 20,000 letters", method="GET", target="/graphql?query=" + "x" * 20_000, body=b"",
                  headers=(), status=431, code=None)  # fmt: skip
    yield Request(
        name="a document of another operation in a good envelope",
        headers=(JSON, GRAPHQL),
        body=orjson.dumps({"query": "query A { viewer { id } }", "operationName": canary("operation")}),
        status=400,
        code=INVALID,
    )


CASES = tuple(_cases())
