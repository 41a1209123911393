"""Every way of sending a secret to the REST API that we can think of; most of them are refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tests.support.secrecy.canary import Canaries

LIST = "/api/backup-destinations"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
REFUSED_BY_DATABASE = "Refused by the database"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One request; `headers` beside Host and Content-Length, the account's token where none is given."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})

    def encoded(self, token: str) -> bytes:
        """The bytes on the wire."""
        headers = {"Host": "localhost", "Authorization": f"Bearer {token}", "Connection": "close"}
        headers |= {"Content-Length": str(len(self.body))} | dict(self.headers)
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def credentials(new: Callable[[], str]) -> dict[str, Any]:
    """Two fresh secrets as a request sends them."""
    return {"s3_access_key": new(), "s3_secret_key": new()}


def good_fields(new: Callable[[], str]) -> list[dict[str, Any]]:
    """Bodies that are accepted."""
    common = {"label": "Canary", "s3_bucket_name": "nightly", "path_style_endpoint": True}
    return [
        {**common, **credentials(new), "type": "s3", "custom_s3_region": "eu-west-1"},
        {**common, **credentials(new), "type": "custom_s3", "custom_s3_endpoint": "https://s3.example.com"},
        {**credentials(new), "label": "Canary", "type": "local"},
    ]


def bad_fields(new: Callable[[], str]) -> Iterator[dict[str, Any]]:
    """JSON objects that break a rule and carry secrets, some of them where none belongs."""
    for wrong in (
        {"label": None},
        {"label": 7},
        {"label": "x" * 256},
        {"label": [new()]},
        {"type": new()},
        {"type": {"secret": new()}},
        {"s3_bucket_name": None},
        {"s3_bucket_name": {new(): new()}},
        {"s3_access_key": None},
        {"s3_secret_key": [new()]},
        {"s3_secret_key": {"value": new()}},
        {"s3_secret_key": new() * 7},
        {"s3_secret_key": f"{new()}\x00"},
        {"s3_access_key": True, "s3_secret_key": new()},
        {"path_style_endpoint": new()},
        {"custom_s3_endpoint": new()},
        {"custom_s3_endpoint": f"https://key:{quote(new(), safe='')}@s3.example.com"},
        {"custom_s3_endpoint": f"ftp://s3.example.com/{new()}"},
        {"custom_s3_endpoint": f"https://s3.example.com/#{new()}"},
    ):
        yield {**good_fields(new)[1], **wrong}


def malformed(new: Callable[[], str]) -> Iterator[tuple[str, bytes]]:
    """Bodies that cannot be read, and the type each claims to be."""
    good = json.dumps(good_fields(new)[0]).encode()
    text = new()
    yield from (
        (JSON, good[:-1]),
        (JSON, good + b"}"),
        (JSON, good.replace(b'"Canary"', b"Canary")),
        (JSON, good.replace(b'"Canary"', b"NaN")),
        (JSON, good.replace(b'"Canary"', b'"\xff\xfe"')),
        (JSON, good.replace(b'"Canary"', b'"\\ud800"')),
        (JSON, good[:-1] + f', "s3_secret_key": "{text}"'.encode() + b"}"),
        (JSON, f'"{text}"'.encode()),
        (JSON, text.encode()),
        (JSON, f'["{text}"]'.encode()),
        (JSON, b"[" * 40 + f'"{text}"'.encode() + b"]" * 40),
        (JSON, good.decode().encode("utf-16")),
        (JSON, b"\xef\xbb\xbf" + good[:-3]),
        (JSON, good[:-1] + b', "padding": "' + b"x" * 9_000 + b'"}'),
        (FORM, urlencode({"s3_secret_key": text}).encode() + b"&label=%ff"),
        (FORM, urlencode([("s3_secret_key", text)] * 2).encode()),
        (FORM, f"s3_secret_key={text}é".encode()),
        ("text/plain", text.encode()),
        ("application/xml", f"<secret>{text}</secret>".encode()),
        ("multipart/form-data; boundary=x", f"--x\r\n\r\n{text}\r\n--x--".encode()),
        (f"{JSON}; charset=latin-1", good),
        (f"{JSON}; charset={text}", good),
        (f"application/{quote(text, safe='')}", good),
        (text, good),
    )


def elsewhere(new: Callable[[], str], token_id: str) -> Iterator[Shot]:
    """Requests with a secret in a header, in the path, in the query, or as a token."""
    for scheme in ("Bearer ", f"Bearer {token_id}|", f"{token_id}|", "Basic ", "Token ", "bearer mrg_", ""):
        yield Shot(method="GET", path=LIST, headers={"Authorization": f"{scheme}{new()}"})
    for name in ("X-Api-Key", "Cookie", "Referer", "User-Agent", "Origin", "Prefer", "If-None-Match", "X-Request-ID"):
        yield Shot(method="GET", path=f"{LIST}/987654321", headers={name: new()})
    yield Shot(method="GET", path=LIST, headers={"Host": quote(new(), safe="")})
    yield Shot(method="POST", path=LIST, headers={"Content-Length": new()})
    yield Shot(method="POST", path=LIST, headers={"Transfer-Encoding": new()})
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        yield Shot(method=method, path=f"{LIST}/{quote(new(), safe='')}")
        yield Shot(method=method, path=f"/{new()}")
        yield Shot(method=method, path=f"{LIST}?s3_secret_key={quote(new(), safe='')}&token={new()}")
    yield Shot(method="GET", path=f"{LIST}?page={new()}&per_page={new()}")
    yield Shot(method=new(), path=LIST)
    yield Shot(method="GET", path=new())


def shots(canaries: Canaries, *, own: int, foreign: int, token_id: str) -> Iterator[Shot]:
    """All of them, each with canaries of its own."""
    new = canaries.new
    places = [("POST", LIST), ("PUT", f"{LIST}/{own}"), ("PUT", f"{LIST}/{foreign}"), ("PUT", f"{LIST}/987654321")]
    for method, path in places:
        for fields in (*good_fields(new), *bad_fields(new)):
            yield Shot(method=method, path=path, body=json.dumps(fields).encode())
        for media_type, body in malformed(new):
            yield Shot(method=method, path=path, body=body, headers={"Content-Type": media_type})
        refused = {**good_fields(new)[0], "label": REFUSED_BY_DATABASE}
        yield Shot(method=method, path=path, body=json.dumps(refused).encode())
        form = urlencode({**good_fields(new)[0], "path_style_endpoint": "1"}).encode()
        yield Shot(method=method, path=path, body=form, headers={"Content-Type": FORM})
    yield from elsewhere(new, token_id)
    for method in ("GET", "DELETE"):
        body = json.dumps(good_fields(new)[0]).encode()
        yield Shot(method=method, path=f"{LIST}/{foreign}", body=body)
    yield Shot(method="GET", path=LIST)
    yield Shot(method="GET", path=f"{LIST}/{own}")
