"""`/`: one page that says what this is, whether it works, and what else is served. It needs no script and no build."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.database import answers
from models.errors import DatabaseUnavailable

_TEMPLATE = Path(__file__).with_name("front_page.html")
_POLICY = (
    "default-src 'none'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A link, by its path; a page is for people, anything else for programs."""

    path: str
    name: str
    what: str
    is_page: bool = False


PLACES = (
    Place(path="/graphql", name="GraphiQL", what="Write and run GraphQL in the browser.", is_page=True),
    Place(path="/api/docs", name="REST reference", what="The REST API, with every request to try.", is_page=True),
    Place(path="/schema.graphql", name="Schema", what="The GraphQL schema in SDL."),
    Place(path="/possibleTypes.json", name="Possible types", what="The types behind each interface."),
    Place(path="/api/openapi.json", name="OpenAPI document", what="The REST API in OpenAPI 3.1."),
    Place(path="/healthz", name="Health", what="Whether the process answers."),
    Place(path="/readyz", name="Readiness", what="Whether the database does too."),
    Place(path="/metrics", name="Metrics", what="Counters and timings for Prometheus."),
)


class FrontPage:
    """The page with links to those places that are served here."""

    def __init__(self, served: Collection[str], *, remark: str | None) -> None:
        """`remark` is a sentence about something that is missing, or None."""
        links = (
            f'<li class="{"page" if place.is_page else "document"}">'
            f'<a href=".{place.path}">{place.name}</a><span>{place.what}</span></li>'
            for place in PLACES
            if place.path in served
        )
        self._page = Template(_TEMPLATE.read_text("utf-8"))
        self._fields = {
            "version": escape(version("moorings")),
            "links": "\n        ".join(links),
            "remark": "" if remark is None else f"<p>{escape(remark)}</p>",
        }
        style = re.search(r"<style>(.*?)</style>", self._page.template, re.DOTALL)
        digest = hashlib.sha256(style[1].encode() if style else b"").digest()
        self._policy = _POLICY.format(base64.b64encode(digest).decode())

    async def __call__(self, _request: Request) -> Response:
        try:
            await answers()
            state, sentence = "good", "The database answers."
        except DatabaseUnavailable:
            state, sentence = "bad", "The database does not answer just now."
        html = self._page.substitute(self._fields, state=state, sentence=sentence)
        return HTMLResponse(html, headers={"Content-Security-Policy": self._policy})
