"""Requests that are not allowed: without a token, with an invalid one, and with one that lacks the ability."""

from .case import Case, canary
from .drafts import COLLECTION, CREATE, JSON, LOCAL, OWN, asking, draft, sending
from .expectations import NOT_HTTP, UNAUTHORIZED, Expectation, either, lacking, parser_or

BASIC = "cm9vdDpyb290"
SHAPED = "mrg_" + canary("shaped") + "A" * 18  # as long as a token, and its checksum is wrong

NO_TOKENS: dict[str, str] = {
    "nothing": "",
    "a space": " ",
    "a scheme alone": "Bearer",
    "a scheme and a space": "Bearer ",
    "a letter": "Bearer x",
    "no scheme": "{token}",
    "no space after the scheme": "Bearer{token}",
    "a tab after the scheme": "Bearer\t{token}",
    "a colon after the scheme": "Bearer: {token}",
    "an equals sign after the scheme": "Bearer={token}",
    "the scheme twice": "Bearer Bearer {token}",
    "the scheme Basic": f"Basic {BASIC}",
    "the token as Basic": "Basic {token}",
    "the scheme Token": "Token {token}",
    "the scheme Digest": 'Digest username="root", response="{token}"',
    "the scheme Negotiate": "Negotiate YIIJ",
    "a token in quotes": 'Bearer "{token}"',
    "a token in angle brackets": "Bearer <{token}>",
    "a word after the token": "Bearer {token} x",
    "a comma and a second token": "Bearer {token}, Bearer {token}",
    "a token and its last letter gone": "Bearer {token_id}|{secret_cut}",
    "a token with a letter more": "Bearer {token}A",
    "a token with a letter changed": "Bearer {token_id}|{secret_flipped}",
    "a token in capitals": "Bearer {token_capitals}",
    "an id without a secret": "Bearer {token_id}|",
    "an id alone": "Bearer {token_id}",
    "a bar alone": "Bearer |",
    "bars": "Bearer |||||",
    "two bars": "Bearer {token_id}||{token_secret}",
    "a slash for the bar": "Bearer {token_id}/{token_secret}",
    "an escaped bar": "Bearer {token_id}%7C{token_secret}",
    "another's id with the own secret": "Bearer {foreign_id}|{token_secret}",
    "the own id with another's secret": "Bearer {token_id}|{foreign_secret}",
    "id zero with the own secret": "Bearer 0|{token_secret}",
    "a negative id with the own secret": "Bearer -{token_id}|{token_secret}",
    "a signed id": "Bearer +{token_id}|{token_secret}",
    "an id of 20 digits": "Bearer 99999999999999999999|{token_secret}",
    "an id of 5,000 digits": "Bearer " + "9" * 5_000 + "|{token_secret}",
    "an id with a letter": "Bearer {token_id}x|{token_secret}",
    "a superscript id": "Bearer \xb2|{token_secret}",
    "a condition for an id": "Bearer 1 OR 1=1|{token_secret}",
    "a condition for a secret": "Bearer {token_id}|' OR '1'='1",
    "a wildcard for a secret": "Bearer {token_id}|%",
    "a shaped secret with a wrong checksum": "Bearer {token_id}|" + SHAPED,
    "a shaped secret without an id": "Bearer " + SHAPED,
    "a secret without its prefix": "Bearer {token_id}|" + canary("no prefix"),
    "a secret of 8,000 characters": "Bearer {token_id}|" + canary("long") + "a" * 8_000,
    "10,000 bars": "Bearer " + "|" * 10_000,
    "bytes beyond ASCII": "Bearer \xff\xfe" + canary("bytes"),
    "characters beyond ASCII": "Bearer {token_id}|mrg_\xf0\x9f\x98\x80",
    "a byte after the token": "Bearer {token}\xff",
    "a signed web token": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
    "null": "Bearer null",
    "undefined": "Bearer undefined",
    "a template never filled": "Bearer $TOKEN",
}


def as_(
    name: str, authorization: str, expectation: Expectation = UNAUTHORIZED, to: tuple[str, str] = ("GET", COLLECTION)
) -> Case:
    """A request with this Authorization."""
    method, path = to
    return Case(
        name=f"authorization: {name}",
        method=method,
        path=path,
        headers=(("Authorization", authorization),),
        **expectation,
    )


def anonymous(name: str, method: str, path: str, *headers: tuple[str, str], body: bytes = b"") -> Case:
    """A request without Authorization."""
    return Case(
        name=f"authorization: {name}",
        method=method,
        path=path,
        headers=headers,
        body=body,
        authenticated=False,
        **UNAUTHORIZED,
    )


ELSEWHERE: tuple[Case, ...] = (
    anonymous("none", "GET", COLLECTION),
    anonymous("none on a row", "GET", OWN),
    anonymous("none on a stranger's row", "GET", COLLECTION + "/{foreign}"),
    anonymous("none without the prefix", "GET", "/backup-destinations"),
    anonymous("none, creating", "POST", COLLECTION, *JSON, body=LOCAL),
    anonymous("none, creating what does not parse", "POST", COLLECTION, *JSON, body=b"{"),
    anonymous("none, creating in text", "POST", COLLECTION, ("Content-Type", "text/plain"), body=b"a"),
    anonymous("none, changing", "PUT", OWN, *JSON, body=b'{"label":"Reached"}'),
    anonymous("none, changing what is wrong", "PUT", OWN, *JSON, body=b'{"label":1}'),
    anonymous("none, deleting", "DELETE", OWN),
    anonymous("a token in the query", "GET", f"{COLLECTION}?token={canary('query token')}"),
    anonymous("an access token in the query", "GET", f"{COLLECTION}?access_token=1|mrg_{canary('query access')}"),
    anonymous(
        "an authorization in the query", "GET", f"{COLLECTION}?Authorization=Bearer%201|mrg_{canary('query bearer')}"
    ),
    anonymous("a live token in the query", "GET", COLLECTION + "?access_token={token}&api_token={token}&token={token}"),
    anonymous("a live token in a cookie", "GET", COLLECTION, ("Cookie", "token={token}; access_token={token}")),
    anonymous(
        "a live token in a header of its own", "GET", COLLECTION, ("X-Api-Key", "{token}"), ("X-Auth-Token", "{token}")
    ),
    anonymous("a live token for a proxy", "GET", COLLECTION, ("Proxy-Authorization", "Bearer {token}")),
    anonymous("a live token forwarded", "GET", COLLECTION, ("X-Forwarded-Authorization", "Bearer {token}")),
    anonymous("a live token under an underscore", "GET", COLLECTION, ("Authorization_", "Bearer {token}")),
    anonymous(
        "a token in a form",
        "POST",
        COLLECTION,
        ("Content-Type", "application/x-www-form-urlencoded"),
        body=b"label=a&type=local&access_token=x",
    ),
    anonymous("a user in the target", "GET", "/api/backup-destinations?user=root&password=" + canary("query password")),
    Case(
        name="authorization: two, both live",
        method="GET",
        path=COLLECTION,
        headers=(("Authorization", "Bearer {token}"), ("Authorization", "Bearer {token}")),
        **either(200, 400, 401),
    ),
    Case(
        name="authorization: two, one live",
        method="GET",
        path=COLLECTION,
        headers=(("Authorization", "Bearer x"), ("Authorization", "Bearer {token}")),
        **either(200, 400, 401),
    ),
    asking(
        "authorization: 20,000 characters",
        COLLECTION,
        parser_or(400, 401, 431),
        (("Authorization", "Bearer " + canary("20,000") + "a" * 20_000),),
    ),
    as_("a NUL in it", "Bearer {token}\0", NOT_HTTP),
    as_("the scheme in small letters", "bearer {token}", either(200, 401)),
    as_("the scheme in capitals", "BEARER {token}", either(200, 401)),
    as_("two spaces after the scheme", "Bearer  {token}", {"status": 200}),
    as_("white space behind the token", "Bearer {token} \t ", {"status": 200}),
    as_("a secret without its id is a token", "Bearer {token_secret}", {"status": 200}),
)


def limited(
    name: str, ability: str, to: tuple[str, str], body: object = b"", headers: tuple[tuple[str, str], ...] = JSON
) -> Case:
    """A request with a token that may only look."""
    only = ("Authorization", "Bearer {view_token}")
    return sending(f"ability: {name}", body, lacking(f"{ability}-backup-destinations"), to, (*headers, only))


ABILITIES: tuple[Case, ...] = (
    limited("creating", "create", CREATE, LOCAL),
    limited("creating nothing", "create", CREATE),
    limited("creating what does not parse", "create", CREATE, b"{"),
    limited("creating what is wrong", "create", CREATE, b'{"label":1}'),
    limited("creating in text", "create", CREATE, b"a", (("Content-Type", "text/plain"),)),
    limited("changing", "update", ("PUT", OWN), b'{"label":"Reached"}'),
    limited("changing what does not parse", "update", ("PUT", OWN), b"["),
    limited("changing what does not exist", "update", ("PUT", COLLECTION + "/{missing}"), b"{}"),
    limited("changing a stranger's", "update", ("PUT", COLLECTION + "/{foreign}"), b"{}"),
    limited("deleting", "delete", ("DELETE", OWN)),
    limited("deleting what does not exist", "delete", ("DELETE", COLLECTION + "/{missing}")),
    limited("deleting a stranger's", "delete", ("DELETE", COLLECTION + "/{foreign}")),
    limited("creating with keys", "create", CREATE, draft("s3", "ability keys")),
)

CASES: tuple[Case, ...] = (
    *(as_(f"{what} is no token", authorization) for what, authorization in NO_TOKENS.items()),
    as_("a shaped secret on a creation", "Bearer 1|" + SHAPED, UNAUTHORIZED, CREATE),
    as_("a shaped secret on a deletion", "Bearer {token_id}|" + SHAPED, UNAUTHORIZED, (("DELETE", OWN))),
    *ELSEWHERE,
    *ABILITIES,
)
