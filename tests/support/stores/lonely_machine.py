"""A machine of a test's own: a process that leaves every network behind, in which all addresses are its own.

Linux only, and only where a process may make namespaces; it cannot go back.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_NEW_MOUNTS, _NEW_USER, _NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000
_SET_FLAGS, _UP = 0x8914, 0x1
_NEW_ROUTE, _REQUEST_ACKNOWLEDGED_CREATE = 24, 0x405
_LOCAL_TABLE, _STATIC, _HOST_SCOPE, _LOCAL, _INTERFACE = 255, 4, 254, 2, 4

_FILES: Mapping[str, str] = {
    "/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
"""What the resolver of the C library reads; of these the first must be there to be replaced."""

_CACHE = Path("/var/run/nscd")


def leave_all_networks() -> None:
    """Leave them; from then on the name server is that of 127.0.0.1:53. Raises `OSError` where that is refused."""
    if sys.platform != "linux":
        raise OSError("only Linux has namespaces")
    _call("unshare", _NEW_MOUNTS | _NEW_NETWORK | (_NEW_USER if os.geteuid() else 0))
    _call("mount", b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
    with tempfile.TemporaryDirectory() as directory:
        for path, text in _FILES.items():
            if Path(path).exists() or path == "/etc/resolv.conf":
                instead = Path(directory, "instead")
                instead.write_text(text)
                _call("mount", bytes(instead), path.encode(), None, _BIND, None)
                instead.unlink()
    if _CACHE.exists():
        _call("mount", b"none", bytes(_CACHE), b"tmpfs", 0, None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
    for family in (socket.AF_INET, socket.AF_INET6):
        _own_all_addresses(family)


def connections_begun() -> int:
    """How many connections were begun on this machine, whatever became of them."""
    names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp"))
    return int(dict(zip(names, values, strict=True))["ActiveOpens"])


def packets_sent() -> int:
    """How many packets were sent on this machine, which has but one interface."""
    (loopback,) = (line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:"))
    return int(loopback.split()[10])


def _own_all_addresses(family: socket.AddressFamily) -> None:
    """As `ip route add local default dev lo`: whatever is sent arrives here."""
    message = struct.pack("8BI", family, 0, 0, 0, _LOCAL_TABLE, _STATIC, _HOST_SCOPE, _LOCAL, 0)
    message += struct.pack("HHI", 8, _INTERFACE, socket.if_nametoindex("lo"))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as kernel:
        kernel.send(struct.pack("IHHII", 16 + len(message), _NEW_ROUTE, _REQUEST_ACKNOWLEDGED_CREATE, 1, 0) + message)
        (error,) = struct.unpack("i", kernel.recv(4_096)[16:20])
    if error:
        raise OSError(-error, os.strerror(-error))


def _call(name: str, *arguments: bytes | int | None) -> None:
    """A function of the C library that answers 0 or sets `errno`."""
    given = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in arguments]
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*given):
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
