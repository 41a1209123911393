"""The address the gateway listens on; apart from the server, so that a command that serves nothing loads none."""

from __future__ import annotations

import socket
import sys
from ipaddress import ip_address
from typing import Any

BACKLOG = 2048
UNSENT_BYTES = 64 * 1024
"""Of one connection, that the system takes and has not sent yet.

Without this bound it takes up to 4 MiB (`tcp_wmem`) for a client that reads nothing, and a thousand such clients use up
the memory that the machine has for all connections (`tcp_mem`), whereupon it hardly sends for any of them.
"""
_SHARED = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)


class AddressTaken(Exception):
    """The address cannot be listened on; `str()` says which and why."""


def bind(host: str, port: int, *, workers: int = 1) -> list[socket.socket]:
    """Listening sockets, one for all workers or one for each; raises `AddressTaken`.

    Bound before anything else is touched, so that a taken port is an error at once. On one socket, the worker that is
    awake takes every connection that comes, and often all of them; among several sockets Linux deals them out.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        alone = _listener(family, address, socket.SO_REUSEADDR)
        if workers == 1 or sys.platform != "linux":
            return [alone]
        with alone:  # no other process has the address: now it may be shared
            address = alone.getsockname()
        first = _listener(family, address, *_SHARED)
        return [first, *(another(first) for _ in range(workers - 1))]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not an address"
        raise AddressTaken(f"Cannot listen on {host} port {port}: {reason}. Choose another with --port.") from error


def another(listener: socket.socket) -> socket.socket:
    """One more of several on one address."""
    return _listener(listener.family, listener.getsockname(), *_SHARED)


def _listener(family: int, address: Any, *options: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            listener.setsockopt(socket.SOL_SOCKET, option, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # connections have what their listener has
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    listener.set_inheritable(True)
    return listener


def is_loopback(listener: socket.socket) -> bool:
    """Whether only programs of this machine can connect."""
    return ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def url_of(listener: socket.socket, *, scheme: str = "http") -> str:
    """Where a browser on this machine finds the gateway."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{scheme}://{host}:{port}"
