"""Ports of 127.0.0.1 that no other process takes before the test's own server listens on them.

A port found by binding port 0 and closing is given away again by the kernel, to any server that binds port 0 and to any
outgoing connection. These lie below the kernel's own range, and a locked file keeps other test processes off them.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

FIRST = 20_000
TRIES = 1_000
_LOCKS = Path(tempfile.gettempdir()) / f"moorings-test-ports-{os.getuid()}"
_held: dict[int, IO[bytes]] = {}
"""By port the open file whose lock the kernel releases when this process ends."""


def free_port() -> int:
    """A port that nothing listens on, reserved for this process until it ends."""
    return free_port_in(range(FIRST, _first_ephemeral()))


def free_port_in(ports: Sequence[int]) -> int:
    """As `free_port`, one of these; fails when none of `TRIES` of them is free."""
    _LOCKS.mkdir(exist_ok=True)
    for port in random.sample(ports, min(TRIES, len(ports))):
        lock = (_LOCKS / str(port)).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:  # another test process has reserved it, or some server listens on it
            lock.close()
        else:
            _held[port] = lock
            return port
    raise AssertionError(f"no port from {ports[0]} to {ports[-1]} is free")


def release(port: int) -> None:
    """Let other test processes have a port before this process ends."""
    _held.pop(port).close()


def listens(port: int) -> bool:
    """Whether a server of this machine takes connections on a port of 127.0.0.1."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _first_ephemeral() -> int:
    """Where the range begins that Linux takes ports from by itself; elsewhere the first that IANA leaves to systems."""
    setting = Path("/proc/sys/net/ipv4/ip_local_port_range")
    return int(setting.read_text().split()[0]) if setting.exists() else 49_152
