"""`/.well-known/security.txt` (RFC 9116): where to report a weakness, if the operator has set it."""

from __future__ import annotations

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.settings import Settings
from models.clock import current_second

PATH = "/.well-known/security.txt"
VALID_FOR = timedelta(days=180)
"""RFC 9116 recommends less than a year; each response says so anew."""


class SecurityTxt:
    """The document of one gateway."""

    def __init__(self, contacts: tuple[str, ...], public_url: str | None) -> None:
        self._lines = [f"Contact: {contact}" for contact in contacts]
        if public_url is not None and public_url.startswith("https://"):
            self._lines.append(f"Canonical: {public_url}{PATH}")

    async def __call__(self, _request: Request) -> Response:
        expires = (current_second() + VALID_FOR).strftime("%Y-%m-%dT%H:%M:%SZ")
        return PlainTextResponse("\n".join([*self._lines, f"Expires: {expires}", ""]))


def routes(settings: Settings) -> list[Route]:
    """One route, or none without a contact."""
    if not settings.security_contact:
        return []
    document = SecurityTxt(settings.security_contact, settings.public_url)
    return [Route(PATH, document.__call__, methods=["GET"])]
