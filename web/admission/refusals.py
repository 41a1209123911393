"""The response to a request that would have to wait too long: 503 with `Retry-After`, in the form of its API.

It is made without anything of the application, since refusing has to cost a small part of what serving costs. Clients
are given different seconds to wait, so that they do not come again together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import random

import orjson

from web.cross_origin import CrossOrigin
from web.middleware.default_headers import Header, completed
from web.request_id import HEADER as REQUEST_ID

OVERLOADED = "The gateway has too much to do; try again in a moment."
RETRY_AFTER_S = (1, 2, 3)
MAX_MADE = 256
"""Different responses that are kept: the forms, by what clients accept and how long they are to wait."""
MAX_ACCEPT = 512
"""Characters of what a client accepts; for longer ones the response is made anew."""

Form = Callable[[str | None, str, int], tuple[Sequence[Header], bytes]]
"""Makes the headers and the body of a refusal from the request's `Accept`, the sentence and the seconds to wait."""
_STATUS_LINE = b"HTTP/1.1 503 Service Unavailable\r\n"


class Refusals:
    """The refusals of one application."""

    def __init__(
        self, forms: Mapping[bytes, Form], *, cross_origin: CrossOrigin | None = None, hsts_s: int = 0
    ) -> None:
        """`forms` by the path that they belong to; other paths have the JSON of the REST API.

        `cross_origin` has the origins whose pages may read a refusal; `hsts_s` goes to clients that came over HTTPS.
        """
        self._forms = forms
        self._cross_origin = cross_origin
        self._hsts_s = hsts_s
        self._made: dict[tuple[Form, str | None, int], tuple[bytes, bytes]] = {}

    def response(
        self,
        method: bytes,
        target: bytes,
        headers: Sequence[Header],
        request_id: bytes,
        server_lines: bytes,
        *,
        keep_alive: bool,
        is_https: bool,
    ) -> bytes:
        """All bytes of a response to a request; `server_lines` are the server's own headers."""
        form = self._forms.get(target.partition(b"?")[0].rstrip(b"/"), _rest)
        accept = None if form is _rest else _accept(headers)
        retry_after_s = RETRY_AFTER_S[int(random() * len(RETRY_AFTER_S))]  # noqa: S311 - no secret
        lines, body = self._made_once(form, accept, retry_after_s)
        more = [b"%s: %s\r\n" % (REQUEST_ID, request_id)]
        if not keep_alive:
            more.append(b"connection: close\r\n")
        if self._cross_origin is not None:
            more.append(self._cross_origin.lines(headers))
        if is_https and self._hsts_s:
            more.append(b"strict-transport-security: max-age=%d\r\n" % self._hsts_s)
        content = b"" if method == b"HEAD" else body
        return b"".join((_STATUS_LINE, server_lines, lines, *more, b"\r\n", content))

    def _made_once(self, form: Form, accept: str | None, retry_after_s: int) -> tuple[bytes, bytes]:
        key = form, accept, retry_after_s
        made = self._made.get(key)
        if made is None:
            headers, body = form(accept, OVERLOADED, retry_after_s)
            own = [(b"content-length", b"%d" % len(body)), (b"retry-after", b"%d" % retry_after_s), *headers]
            all_ = [header for header in completed(own, None, b"") if header[0] != REQUEST_ID]
            made = b"".join(b"%s: %s\r\n" % header for header in all_), body
            if len(self._made) >= MAX_MADE:
                self._made.clear()
            if accept is None or len(accept) <= MAX_ACCEPT:
                self._made[key] = made
        return made


def _accept(headers: Sequence[Header]) -> str | None:
    values = [value.decode("latin-1") for name, value in headers if name == b"accept"]
    return ", ".join(values) if values else None


def _rest(_accept: str | None, sentence: str, _retry_after_s: int) -> tuple[Sequence[Header], bytes]:
    """The error of the REST API."""
    return ((b"content-type", b"application/json"),), orjson.dumps(
        {"error": "Service Unavailable", "message": sentence}
    )
