"""Host headers that name another host, an empty one, or none."""

from .case import Case
from .drafts import COLLECTION, CREATE, JSON, LOCAL, asking, sending
from .expectations import BAD_REQUEST, NOT_HTTP

FOREIGN_HOSTS: dict[str, str] = {
    "another host": "evil.example",
    "another host and a port": "evil.example:80",
    "an allowed host as a subdomain": "127.0.0.1.evil.example",
    "a subdomain of the allowed host": "evil.127.0.0.1",
    "the metadata address": "169.254.169.254",
    "the address of everyone": "0.0.0.0",  # noqa: S104 - a Host header, nothing binds to it
    "a host as a user": "127.0.0.1@evil.example",
    "a user and a host": "evil.example@127.0.0.1",
    "a path": "127.0.0.1/evil.example",
    "a query": "127.0.0.1?evil.example",
    "two hosts": "127.0.0.1, evil.example",
    "two hosts apart by a space": "127.0.0.1 evil.example",
    "a scheme": "http://127.0.0.1",
    "a port in letters": "127.0.0.1:evil.example",
    "the decimal address": "2130706433",
    "a backslash": "127.0.0.1\\evil.example",
    "a script": "<script>alert(1)</script>",
    "a quote": "127.0.0.1\"'",
    "brackets around a name": "[evil.example]",
    "brackets around an address and a name behind": "[::1]evil.example",
    "brackets that do not close": "[::1",
    "a port beyond all": "127.0.0.1:65536",
    "an emoji": "\xf0\x9f\x98\x80",
    "a wildcard": "*",
    "300 labels": "a." * 300 + "evil.example",
}

CASES: tuple[Case, ...] = (
    *(
        asking(f"host: {what}", COLLECTION, {**BAD_REQUEST, "raw": raw}, (("Host", host),))
        for what, host in FOREIGN_HOSTS.items()
        for raw in [not host.isascii() or " " in host]
    ),
    Case(name="host: none", method="GET", path=COLLECTION, omitted=frozenset({"host"}), **NOT_HTTP),
    asking("host: an empty one", COLLECTION, NOT_HTTP, (("Host", ""),)),
    asking("host: two", COLLECTION, NOT_HTTP, (("Host", "127.0.0.1"), ("Host", "evil.example"))),
    sending("host: a foreign one on a creation", LOCAL, BAD_REQUEST, CREATE, (*JSON, ("Host", "evil.example"))),
    Case(
        name="host: a foreign one without a token",
        method="GET",
        path=COLLECTION,
        authenticated=False,
        headers=(("Host", "evil.example"),),
        **BAD_REQUEST,
    ),
)
