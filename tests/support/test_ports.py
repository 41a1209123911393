"""A port that a test was given is its own until the process ends."""

from __future__ import annotations

import socket
import subprocess
import sys

from tests.support import ports
from tests.support.paths import ROOT
from tests.support.ports import free_port


def in_another_process(first: int, beyond: int) -> subprocess.CompletedProcess[str]:
    """What a second test process does that may only choose from these ports."""
    program = f"from tests.support.ports import free_port_in; print(free_port_in(range({first}, {beyond})))"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_port_is_given_once_and_can_be_listened_on() -> None:
    found = [free_port() for _ in range(20)]

    assert len(set(found)) == len(found)
    for port in found:
        socket.create_server(("127.0.0.1", port)).close()


def test_the_kernel_gives_none_of_them_to_anything_else() -> None:
    port = free_port()

    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        assert min(listener.getsockname()[1], client.getsockname()[1]) > port


def test_another_process_is_not_given_a_reserved_port() -> None:
    port = free_port()

    refused = in_another_process(port, port + 1)

    assert refused.returncode == 1
    assert "is free" in refused.stderr


def test_a_port_that_a_server_listens_on_is_not_given() -> None:
    port = free_port()
    ports.release(port)

    with socket.create_server(("127.0.0.1", port)):
        assert in_another_process(port, port + 1).returncode == 1
    assert in_another_process(port, port + 1).stdout == f"{port}\n"
