"""The address the gateway listens on; apart from the server, so that a command that serves nothing loads none."""

from __future__ import annotations

import socket

BACKLOG = 2048


class AddressTaken(Exception):
    """The address cannot be listened on; `str()` says which and why."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; raises `AddressTaken`. Bound before anything else is touched, so a taken port is told."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not an address"
        raise AddressTaken(f"Cannot listen on {host} port {port}: {reason}. Choose another with --port.") from error
    listener.set_inheritable(True)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a browser on this machine finds the gateway."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{host}:{port}"
