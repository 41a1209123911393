"""Refuses a request whose Host header does not name the gateway (DNS rebinding, poisoned links)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from ipaddress import IPv6Address

from starlette.types import ASGIApp, Receive, Scope, Send

from web.health_paths import HEALTH_PATHS
from web.problem import problem

MAX_PORT_DIGITS, MAX_PORT = 5, 65_535


class Hosts:
    """The names of the gateway."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._any = "*" in allowed
        self._names = frozenset(host for host in allowed if not host.startswith("*"))
        self._suffixes = tuple(host[1:] for host in allowed if host.startswith("*."))

    def allow(self, value: bytes) -> bool:
        """Whether the value of a Host header names the gateway, whatever the port."""
        return self._names_gateway(_without_port(value.decode("latin-1").lower()))

    def _names_gateway(self, name: str) -> bool:
        return name != "" and (self._any or name in self._names or (name.endswith(self._suffixes) and name[0] != "."))


class AllowedHosts:
    """Passes on a request whose one Host header names the gateway; any other is answered 400."""

    def __init__(self, app: ASGIApp, *, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan" or self._is_allowed(scope) or scope["path"] in HEALTH_PATHS:
            return self._app(scope, receive, send)
        refusal = problem(400, "The Host header does not name this gateway; MOORINGS_ALLOWED_HOSTS lists its names.")
        return refusal(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        values = [value for name, value in scope["headers"] if name == b"host"]
        return len(values) == 1 and self._hosts.allow(values[0])


def _without_port(host: str) -> str:
    """`name:port` or `[v6]:port` without its port; "" for anything that is neither (RFC 3986, 3.2.2)."""
    name, separator, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not separator:
        name = host
    elif not (port.isascii() and port.isdigit() and len(port) <= MAX_PORT_DIGITS and int(port) <= MAX_PORT):
        return ""
    if name.startswith("["):
        return name if name.endswith("]") and _is_ipv6(name[1:-1]) else ""
    return name if name.isascii() and all(c.isalnum() or c in ".-_" for c in name) else ""


def _is_ipv6(text: str) -> bool:
    """Whether a text is an address as it may stand in brackets: without a zone."""
    try:
        return "%" not in text and IPv6Address(text) is not None
    except ValueError:
        return False
