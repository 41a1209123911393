"""Methods a route does not support, unknown methods, and protocols that are not HTTP/1."""

from .case import Case
from .drafts import COLLECTION, FORM, JSON, LOCAL, OWN, form, sending
from .expectations import (
    LABEL_REQUIRED,
    NO_ROUTE,
    NOT_ALLOWED,
    NOT_FOUND,
    OK,
    UNAUTHORIZED,
    Expectation,
    created,
    either,
    parser_or,
    violating,
)

MISSING = COLLECTION + "/{missing}"
UNKNOWN: Expectation = parser_or(400, 405, 501)
NOT_OURS: Expectation = parser_or(400, 426, 505)


def bare(name: str, method: str, path: str, expectation: Expectation, *, authenticated: bool = True) -> Case:
    """A method without a body."""
    return Case(name=f"method: {name}", method=method, path=path, authenticated=authenticated, **expectation)


def versioned(version: str, expectation: Expectation) -> Case:
    """A list over another version of the protocol."""
    return Case(name=f"method: over {version!r}", method="GET", path=COLLECTION, version=version, **expectation)


REFUSED: tuple[Case, ...] = (
    *(
        bare(f"{method} on the list", method, COLLECTION, NOT_ALLOWED)
        for method in (
            "PUT",
            "DELETE",
            "PATCH",
            "TRACE",
            "PROPFIND",
            "COPY",
            "MOVE",
            "LOCK",
            "PURGE",
            "REPORT",
            "SEARCH",
        )
    ),
    *(
        bare(f"{method} on a row", method, OWN, NOT_ALLOWED)
        for method in ("POST", "PATCH", "TRACE", "PROPFIND", "MOVE", "MKCOL", "UNLOCK", "PURGE", "LINK", "BIND")
    ),
    *(
        bare(f"{method} on the list without the prefix", method, "/backup-destinations", NOT_ALLOWED)
        for method in ("PUT", "DELETE")
    ),
    bare("POST on a row without the prefix", "POST", OWN.removeprefix("/api"), NOT_ALLOWED),
    *(
        bare(f"{method} on the list without a token", method, COLLECTION, NOT_ALLOWED, authenticated=False)
        for method in ("PUT", "DELETE", "TRACE")
    ),
    *(
        bare(f"{method} on a row without a token", method, OWN, NOT_ALLOWED, authenticated=False)
        for method in ("POST", "PATCH")
    ),
    bare("POST on a missing row", "POST", MISSING, NOT_ALLOWED),
    bare("POST on a stranger's row", "POST", COLLECTION + "/{foreign}", NOT_ALLOWED),
    sending("method: POST on a row with a fine body", LOCAL, NOT_ALLOWED, ("POST", OWN)),
    sending("method: POST on a row with a broken body", b"{", NOT_ALLOWED, ("POST", OWN)),
    sending("method: PUT on the list with a fine body", LOCAL, NOT_ALLOWED, ("PUT", COLLECTION)),
    sending("method: DELETE on the list with ids", {"ids": [1, 2, 3]}, NOT_ALLOWED, ("DELETE", COLLECTION)),
    bare("DELETE on the list with an id in the query", "DELETE", COLLECTION + "?id={own}", NOT_ALLOWED),
    bare("PROPFIND on nowhere", "PROPFIND", "/api/nowhere", NO_ROUTE),
    bare("DELETE on nowhere", "DELETE", "/api/nowhere/{own}", NO_ROUTE),
)

STRANGE: tuple[Case, ...] = (
    *(
        bare(f"{method[:20]!r} is no method", method, COLLECTION, UNKNOWN)
        for method in (
            "get",
            "Get",
            "GETS",
            "FETCH",
            "GE T",
            "G\0ET",
            "GET\t",
            "\xff",
            "<script>",
            "A" * 5_000,
            "X-GET",
            "",
        )
    ),
    bare("CONNECT on the list", "CONNECT", COLLECTION, parser_or(400, 404, 405, 501)),
    bare("OPTIONS on the list", "OPTIONS", COLLECTION, either(200, 204, 405)),
    bare("OPTIONS on a row", "OPTIONS", OWN, either(200, 204, 405)),
    bare("OPTIONS on everything", "OPTIONS", "*", parser_or(200, 204, 400, 404, 405)),
    Case(
        name="method: OPTIONS from another page",
        method="OPTIONS",
        path=COLLECTION,
        authenticated=False,
        headers=(("Origin", "https://evil.example"), ("Access-Control-Request-Method", "DELETE")),
        **either(200, 204, 400, 401, 403, 405),
    ),
)

HEADLESS: tuple[Case, ...] = (
    bare("HEAD on the list", "HEAD", COLLECTION, OK),
    bare("HEAD on a row", "HEAD", OWN, OK),
    bare("HEAD on a missing row", "HEAD", MISSING, {"status": NOT_FOUND["status"]}),
    bare("HEAD on a stranger's row", "HEAD", COLLECTION + "/{foreign}", {"status": 403}),
    bare("HEAD on a word", "HEAD", COLLECTION + "/abc", {"status": NOT_FOUND["status"]}),
    bare("HEAD without a token", "HEAD", COLLECTION, {"status": UNAUTHORIZED["status"]}, authenticated=False),
    bare("HEAD on nowhere", "HEAD", "/api/nowhere", {"status": NO_ROUTE["status"]}),
)

DISGUISED: tuple[Case, ...] = (
    form("method: PUT in a form of a creation", b"_method=PUT&label=a&type=local", created(label="a")),
    form("method: DELETE in a form of a creation", b"_method=DELETE&type=local", violating({"label": LABEL_REQUIRED})),
    form("method: PUT in a form on a row", b"_method=PUT&label=a", NOT_ALLOWED, ("POST", OWN)),
    form("method: DELETE in a form on a row", b"_method=DELETE", NOT_ALLOWED, ("POST", OWN)),
    form("method: DELETE in a form of a change", b"_METHOD=DELETE&method=DELETE", OK, ("PUT", OWN)),
    sending("method: DELETE in the JSON of a change", {"_method": "DELETE"}, OK, ("PUT", OWN)),
    bare("DELETE in the query of a look", "GET", OWN + "?_method=DELETE", OK),
    Case(
        name="method: PUT in the query of a creation on a row",
        method="POST",
        path=OWN + "?_method=PUT",
        headers=FORM,
        body=b"label=a",
        **NOT_ALLOWED,
    ),
)

PROTOCOLS: tuple[Case, ...] = (
    versioned("HTTP/1.0", OK),
    # The parser reads this protocol too, as the HTTP/1.0 it is modelled on.
    versioned("RTSP/1.0", parser_or(200, 400, 426, 505)),
    *(
        versioned(version, NOT_OURS)
        for version in (
            "HTTP/0.9",
            "HTTP/1.2",
            "HTTP/2.0",
            "HTTP/3",
            "HTTP/11",
            "HTTP/1",
            "http/1.1",
            "HTTPS/1.1",
            "ICE/1.0",
            "HTTP/1.1 HTTP/1.1",
            "",
        )
    ),
    Case(
        name="method: the preface of HTTP/2",
        method="PRI",
        path="*",
        version="HTTP/2.0",
        headers=(),
        **parser_or(400, 404, 405, 426, 501, 505),
    ),
    Case(
        name="method: an upgrade to a web socket",
        method="GET",
        path=COLLECTION,
        headers=(
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ),
        **parser_or(200, 400, 403, 404, 426),
    ),
    Case(
        name="method: an upgrade to HTTP/2",
        method="GET",
        path=COLLECTION,
        headers=(
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
        ),
        **OK,
    ),
    Case(
        name="method: an upgrade of a creation",
        method="POST",
        path=COLLECTION,
        body=b"{}",
        headers=(*JSON, ("Connection", "Upgrade"), ("Upgrade", "TLS/1.0")),
        **parser_or(400, 422, 426),
    ),
)

CASES: tuple[Case, ...] = (*REFUSED, *STRANGE, *HEADLESS, *DISGUISED, *PROTOCOLS)
