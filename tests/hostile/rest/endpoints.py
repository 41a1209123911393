"""Endpoints that are no absolute http(s) URL with a host, and some that look odd and are."""

from .case import Case
from .drafts import UPDATE, UPDATE_LOCAL, UPDATE_S3, draft, sending, without
from .expectations import (
    created,
    must_be_string,
    must_be_url,
    required_when,
    updated,
    violating,
)

NO_URLS: dict[str, str] = {
    "a word": "nowhere",
    "a host": "s3.example.com",
    "a host and a port": "s3.example.com:9000",
    "a path": "/backups",
    "two slashes and a host": "//s3.example.com",
    "a scheme alone": "https://",
    "a scheme without slashes": "https:s3.example.com",
    "a scheme with one slash": "https:/s3.example.com",
    "a scheme without a colon": "https//s3.example.com",
    "a path and no host": "https:///backups",
    "a port and no host": "https://:443",
    "a query and no host": "https://?host=s3.example.com",
    "ftp": "ftp://s3.example.com",
    "s3": "s3://bucket",
    "file": "file:///etc/passwd",
    "file with a host": "file://localhost/etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict": "dict://127.0.0.1:11211/stats",
    "javascript": "javascript:alert(1)//s3.example.com",
    "data": "data:text/html,https://s3.example.com",
    "a web socket": "wss://s3.example.com",
    "a scheme inside a scheme": "jar:https://s3.example.com!/",
    "http with a letter more": "httpx://s3.example.com",
    "http in full-width letters": "\uff48\uff54\uff54\uff50://s3.example.com",
    "a user": "https://user@s3.example.com",
    "a user and a password": "https://user:password@s3.example.com",
    "an empty user and password": "https://:@s3.example.com",
    "a user that looks like the host": "https://s3.example.com:443@127.0.0.1",
    "a fragment": "https://s3.example.com/#fragment",
    "a fragment right after the host": "https://s3.example.com#@127.0.0.1",
    "a backslash before the path": "https://s3.example.com\\backups",
    "backslashes for slashes": "https:\\\\s3.example.com",
    "a backslash that hides the host": "https://127.0.0.1\\@s3.example.com",
    "a space in the host": "https://s3 .example.com",
    "a space in the path": "https://s3.example.com/a b",
    "a tab in the host": "https://s3.exa\tmple.com",
    "a line feed in the host": "https://s3.exa\nmple.com",
    "a line feed in the scheme": "ht\ntps://s3.example.com",
    "a line feed that starts a header": "https://s3.example.com/\r\nHost: 127.0.0.1",
    "a delete character": "https://s3.example.com/\u007f",
    "an escape character": "https://s3.example.com/\u001b[0m",
    "a no-break space": "https://s3.exa\u00a0mple.com",
    "a line separator": "https://s3.example.com/\u2028x",
    "an ideographic space": "https://s3.example.com/\u3000x",
    "a port beyond 65535": "https://s3.example.com:65536",
    "a port of 20 digits": "https://s3.example.com:99999999999999999999",
    "a port of 200 digits": "https://s3.example.com:" + "9" * 200,
    "a negative port": "https://s3.example.com:-1",
    "a port in letters": "https://s3.example.com:https",
    "a port in full-width digits": "https://s3.example.com:\uff18\uff10",
    "two ports": "https://s3.example.com:80:80",
    "a bracket never closed": "https://[::1",
    "a bracket never opened": "https://::1]",
    "letters in brackets": "https://[s3.example.com]",
    "nothing in brackets": "https://[]",
    "an address of version six without brackets": "https://2001:db8::1",
    "a query": "https://s3.example.com/?x=1",
    "a query without a value": "https://s3.example.com?",
    "a segment of two dots": "https://s3.example.com/a/../b",
    "a segment of one dot": "https://s3.example.com/./c",
    "an escaped segment of two dots": "https://s3.example.com/%2e%2E/b",
    "two URLs": "https://s3.example.com https://s3.example.org",
    "a URL in angle brackets": "<https://s3.example.com>",
    "a URL in quotes": '"https://s3.example.com"',
    "a space after the scheme": "https:// s3.example.com",
}

URLS: dict[str, str] = {
    "capitals": "HTTPS://S3.Example.COM/Path",
    "plain http": "http://s3.example.com",
    "a slash at the end": "https://s3.example.com/",
    "two slashes at the end": "https://s3.example.com//",
    "a port": "https://s3.example.com:9000",
    "the default port": "https://s3.example.com:443",
    "the highest port": "https://s3.example.com:65535",
    "a path": "https://s3.example.com/a/b",
    "an escaped path": "https://s3.example.com/%7euser/%E2%82%AC",
    "an address of version four": "http://192.0.2.1:9000",
    "an address of version six": "http://[2001:db8::1]:9000",
    "a host of one word": "http://minio:9000",
    "an encoded international host": "https://xn--bcher-kva.example",
}


def endpoint(name: str, value: object) -> dict[str, object]:
    """A draft with this endpoint."""
    return draft("custom_s3", f"endpoint {name}", custom_s3_endpoint=value)


PLACES: tuple[Case, ...] = (
    sending(
        "endpoint: kept without the spaces around it",
        endpoint("spaces", " https://s3.example.com/x \n"),
        created(s3_endpoint="https://s3.example.com/x"),
    ),
    sending(
        "endpoint: a user in a change",
        {"custom_s3_endpoint": "https://user:password@s3.example.com"},
        violating({"custom_s3_endpoint": must_be_url()}),
        UPDATE,
    ),
    sending(
        "endpoint: a user under the answer's name",
        {"s3_endpoint": "https://user@s3.example.com"},
        violating({"custom_s3_endpoint": must_be_url()}),
        UPDATE,
    ),
    sending(
        "endpoint: file in a change of a local row",
        {"custom_s3_endpoint": "file:///etc/passwd"},
        violating({"custom_s3_endpoint": must_be_url()}),
        UPDATE_LOCAL,
    ),
    sending(
        "endpoint: wrong in a change of an s3 row",
        {"custom_s3_endpoint": "nowhere"},
        violating({"custom_s3_endpoint": must_be_url()}),
        UPDATE_S3,
    ),
    sending(
        "endpoint: fine and ignored in a change of an s3 row",
        {"custom_s3_endpoint": "https://s3.example.com"},
        updated(type="s3"),
        UPDATE_S3,
    ),
    sending(
        "endpoint: a number in a change",
        {"custom_s3_endpoint": 127},
        violating({"custom_s3_endpoint": must_be_string("custom_s3_endpoint")}),
        UPDATE,
    ),
    sending(
        "endpoint: a list under the answer's name",
        {"s3_endpoint": ["https://s3.example.com"]},
        violating({"custom_s3_endpoint": must_be_string("custom_s3_endpoint")}),
        UPDATE,
    ),
    sending(
        "endpoint: emptied in a change",
        {"custom_s3_endpoint": " "},
        violating({"custom_s3_endpoint": required_when("custom_s3_endpoint", "custom_s3")}),
        UPDATE,
    ),
    sending(
        "endpoint: wrong under both names",
        endpoint("both", "nowhere") | {"s3_endpoint": "nowhere"},
        violating({"custom_s3_endpoint": must_be_url()}),
    ),
    sending(
        "endpoint: under the answer's name",
        without(endpoint("alias", ""), "custom_s3_endpoint") | {"s3_endpoint": "https://alias.example.com"},
        created(s3_endpoint="https://alias.example.com"),
    ),
)

CASES: tuple[Case, ...] = (
    *(
        sending(f"endpoint: {what} is refused", endpoint(what, value), violating({"custom_s3_endpoint": must_be_url()}))
        for what, value in NO_URLS.items()
    ),
    *(
        sending(f"endpoint: {what} is kept as given", endpoint(what, value), created(s3_endpoint=value))
        for what, value in URLS.items()
    ),
    *PLACES,
)
