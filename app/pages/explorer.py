"""Serves what `explorer/` builds: GraphiQL, the REST reference, and their assets.

The pages run under a policy that allows nothing of another origin and no script that is written into a page.
"""

from __future__ import annotations

import mimetypes
import secrets
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from web.compression.accept_encoding import weights_of
from web.problem import problem

BUILT = Path(__file__).parents[2] / "explorer" / "dist"
NOT_BUILT = "The explorer has not been built; `make explorer` builds it."
TURNED_OFF = "The explorer is turned off here."
_NONCE = "CSP-NONCE"
_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; font-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
)
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".ttf": "font/ttf", ".woff2": "font/woff2"}


class Explorer:
    """The pages and assets of one build; `sentence` says why there are none, or is None."""

    def __init__(self, *, enabled: bool, directory: Path = BUILT) -> None:
        built = (directory / "graphiql.html").is_file()
        self.sentence = None if enabled and built else NOT_BUILT if enabled else TURNED_OFF
        self.graphiql: ASGIApp = _Absent(406, self.sentence or "")
        self.reference: ASGIApp = _Absent(404, self.sentence or "")
        self._assets: dict[str, Path] = {}
        if self.sentence is None:
            self.graphiql = _GraphiQL(directory / "graphiql.html")
            self.reference = _Reference(directory / "reference.html")
            self._assets = {path.name: path for path in (directory / "assets").iterdir()}

    async def asset(self, request: Request) -> Response:
        """One file of the build, by the name that carries its hash, compressed if the client takes that."""
        name: str = request.path_params["name"]
        plain = self._assets.get(name)
        if plain is None:
            raise HTTPException(404)
        headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding", "Content-Security-Policy": _POLICY}
        weights = weights_of(request.headers.get("accept-encoding", "").encode("latin-1"))
        for encoding, suffix in _ENCODINGS:
            smaller = self._assets.get(name + suffix)
            if smaller is not None and weights.get(encoding, 0.0) > 0.0:
                return FileResponse(smaller, headers={**headers, "Content-Encoding": encoding}, media_type=_type(plain))
        return FileResponse(plain, headers=headers, media_type=_type(plain))


class _Absent:
    """Stands where a page would be."""

    def __init__(self, status: int, sentence: str) -> None:
        self._status = status
        self._sentence = sentence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await problem(self._status, self._sentence)(scope, receive, send)


class _Page:
    """A page of the build, sent with a nonce that is good for this once."""

    def __init__(self, path: Path) -> None:
        self._html = path.read_text("utf-8")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        nonce = secrets.token_urlsafe(16)
        headers = {"Content-Security-Policy": _POLICY + self.policy(scope, nonce), "Vary": "Accept"}
        await HTMLResponse(self._html.replace(_NONCE, nonce), headers=headers)(scope, receive, send)

    def policy(self, scope: Scope, nonce: str) -> str:
        """What this page may do beyond what every page may."""
        raise NotImplementedError


class _GraphiQL(_Page):
    """Its editor makes style sheets, which get the nonce, and writes lines with style attributes, which cannot."""

    def policy(self, scope: Scope, nonce: str) -> str:
        host = Headers(scope=scope)["host"]
        return (
            f"style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; "
            # For browsers in which 'self' does not mean the WebSockets of the same host.
            f"connect-src 'self' ws://{host} wss://{host}"
        )


class _Reference(_Page):
    def policy(self, scope: Scope, nonce: str) -> str:
        return "style-src 'self'; connect-src 'self'"


def _type(path: Path) -> str | None:
    return _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
