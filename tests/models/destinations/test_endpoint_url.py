"""Which texts are endpoint URLs, and what each means: absolute http(s), a host, no user info, query or fragment."""

from __future__ import annotations

import pytest

from models.destinations.endpoint_url import EndpointUrl, is_endpoint_url, parse_endpoint_url

LABEL = "a" * 63
LONGEST_HOST = ".".join([LABEL] * 3 + ["a" * 61])

GOOD = [
    "https://s3.example.com",
    "http://s3.example.com",
    "HTTPS://S3.Example.COM",
    "https://s3.example.com/",
    "https://s3.example.com.",
    "https://s3.example.com:9000",
    "https://s3.example.com:1",
    "https://s3.example.com:65535",
    "https://s3.example.com/base//path/~user",
    "https://s3.example.com/%20",
    "https://s3.example.com/é",
    "https://my_bucket.s3-eu.example.com",
    "https://s3",
    "http://localhost:9000",
    "http://127.0.0.1:9000",
    "http://169.254.169.254",
    "http://[::1]",
    "http://[::1]:9000",
    "http://[2001:db8::1]/path",
    "http://[::ffff:127.0.0.1]",
    "https://bücher.example",
    "https://xn--bcher-kva.example",
    "https://例え.テスト",
    f"https://{LABEL}.example",
    f"https://{LONGEST_HOST}",
]
"""Also where the policy allows no connection to the address: `s3.address_policy` decides that at each check."""

BAD = {
    "nothing": ["", "/"],
    "no scheme": ["s3.example.com", "//s3.example.com", "/s3.example.com", "://s3.example.com"],
    "no host": [
        "https:",
        "https:/",
        "https://",
        "https:///path",
        "https:s3.example.com",
        "https://:9000",
        "https://?x",
    ],
    "another scheme": [
        "ftp://s3.example.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
        "s3://bucket",
        "httpx://s3.example.com",
        "https+unix://s3.example.com",
        "jar:https://s3.example.com!/",
    ],
    "user info": [
        "https://user@s3.example.com",
        "https://user:password@s3.example.com",
        "https://@s3.example.com",
        "https://:@s3.example.com",
        "https://s3.example.com:443@127.0.0.1",
    ],
    "a query": ["https://s3.example.com?", "https://s3.example.com/?x=1", "https://s3.example.com/a?b#c"],
    "a segment of dots": [
        "https://s3.example.com/..",
        "https://s3.example.com/a/../b",
        "https://s3.example.com/./",
        "https://s3.example.com/%2e%2E/b",
        "https://s3.example.com/a%2F..%2Fb",
    ],
    "a fragment": ["https://s3.example.com#f", "https://s3.example.com/#", "https://s3.example.com#@127.0.0.1"],
    "a port out of range": [
        "https://s3.example.com:0",
        "https://s3.example.com:65536",
        "https://s3.example.com:99999999999",
        "https://s3.example.com:-1",
        "https://s3.example.com:http",
        "https://s3.example.com:٣",
        "https://s3.example.com:8_0",
        "http://[::1]:0",
    ],
    "a host that cannot be looked up": [
        "https://-a.example",
        "https://a-.example",
        "https://a..b",
        "https://.example",
        "https://.",
        "https://s3*.example.com",
        "https://s3!.example.com",
        "https://s3,s4.example.com",
        "https://s3%2e.example",
        "https://$HOST",
        "https://℀.example",
        "https://\u202e.example",
        f"https://{LABEL}a.example",
        f"https://{LONGEST_HOST}a",
    ],
    "a malformed address in brackets": [
        "https://[::1",
        "https://::1]",
        "https://::1",
        "https://[]",
        "https://[127.0.0.1]",
        "https://[g::1]",
        "https://[fe80::1%25eth0]",
        "https://[v1.a]",
        "https://[::1]x",
        "https://[::1].s3.example.com",
        "https://[::1][::1]",
    ],
    "a forbidden character": [
        " https://s3.example.com",
        "https://s3.example.com\n",
        "https://s3\t.example.com",
        "https://s3.example.com/a b",
        "https://s3.example.com\x00",
        "https://s3.example.com/\x7f",
        "https://s3.example.com/\x85",
        "https://s3.example.com/\u2028",
        "https://s3.example.com/\u3000",
        "https://s3.example.com\\@127.0.0.1",
        "https://s3.example.com/<b>",
        'https://s3.example.com/"x"',
        "https://s3.example.com/{x}",
        "https://s3.example.com/|",
        "https://s3.example.com/^",
        "https://s3.example.com/`",
    ],
}


@pytest.mark.parametrize("url", GOOD, ids=ascii)
def test_an_absolute_http_url_with_a_host_is_an_endpoint(url: str) -> None:
    """In any case, with any port, path, language or form of address."""
    assert is_endpoint_url(url)


@pytest.mark.parametrize(
    "url", [pytest.param(url, id=f"{reason}: {url!a}") for reason, urls in BAD.items() for url in urls]
)
def test_anything_else_is_no_endpoint(url: str) -> None:
    """A URL that is read in two ways sends a request to a server that nobody named."""
    assert not is_endpoint_url(url)


PARSED = {
    "https://store.example": ("https", "store.example", 443, ""),
    "HTTP://Store.Example": ("http", "store.example", 80, ""),
    "https://store.example:": ("https", "store.example", 443, ""),
    "https://store.example.:9000/": ("https", "store.example", 9000, "/"),
    "http://store.example:65535/a%20b/%7Eü/": ("http", "store.example", 65535, "/a%20b/%7Eü/"),
    "https://bücher.example": ("https", "xn--bcher-kva.example", 443, ""),
    "https://ｓｔｏｒｅ。example": ("https", "store.example", 443, ""),
    "http://１２７.0.0.1": ("http", "127.0.0.1", 80, ""),
    "http://[2606:4700:0:0::1]:80": ("http", "2606:4700::1", 80, ""),
    "http://my_store": ("http", "my_store", 80, ""),
}


@pytest.mark.parametrize(("text", "parts"), PARSED.items())
def test_an_endpoint_means_one_server_and_path(text: str, parts: tuple[str, str, int, str]) -> None:
    scheme, host, port, path = parts

    assert parse_endpoint_url(text) == EndpointUrl(scheme=scheme, host=host, port=port, path=path)


@pytest.mark.parametrize(
    ("endpoint", "authority"),
    [
        ("https://store.example:443", "store.example"),
        ("http://store.example:443", "store.example:443"),
        ("https://store.example:9000", "store.example:9000"),
        ("http://[::1]:9000", "[::1]:9000"),
        ("http://[::1]", "[::1]"),
    ],
)
def test_the_host_header_is_what_usual_clients_send(endpoint: str, authority: str) -> None:
    assert parse_endpoint_url(endpoint).authority == authority
