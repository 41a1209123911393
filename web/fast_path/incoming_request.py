"""A request as the server has parsed it, before an application runs."""

from __future__ import annotations

from typing import NamedTuple

from web.request_state import RequestState


class IncomingRequest(NamedTuple):
    """Enough to start the standard path with, at once or after a replay has come to nothing."""

    method: bytes
    target: bytes
    version: str
    """Of HTTP."""
    headers: list[tuple[bytes, bytes]]
    """With names in lower case."""
    state: RequestState
    keep_alive: bool
    expects_continue: bool
    """Whether the client waits for `100 Continue`."""
    body: bytes | None
    """None while it is not whole."""
