"""Commands of `moorings` in processes forked from one that has loaded the program, which takes most of their time.

A command has its own standard streams, environment, directory and exit status, as if it had been started alone. What
depends on how Python starts (the locale, a preloaded library, another installation) needs a program of its own.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

NOTHING = Path(os.devnull)
START_DEADLINE_S = 60
MAX_REQUEST_BYTES = 1 << 20
PRELOADED = ("app.cli.program", "app.database", "app.main", "app.processes.start", "tortoise.migrations.executor")


class Forked:
    """A running command, as `subprocess.Popen` shows one; the process is a child of another."""

    def __init__(
        self, arguments: Sequence[str], env: Mapping[str, str], cwd: Path, streams: Sequence[IO[bytes]]
    ) -> None:
        """`streams` are its stdin, stdout and stderr."""
        self._status: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(_server())
        request = json.dumps({"arguments": [*arguments], "env": {**env}, "cwd": str(cwd)}).encode()
        self._connection.sendall(len(request).to_bytes(4, "big"))
        socket.send_fds(self._connection, [request], [stream.fileno() for stream in streams])
        self._lines = self._connection.makefile("rb")
        self.pid = int(self._lines.readline())

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        if self._status is None and select.select([self._connection], [], [], 0)[0]:
            self._end()
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit status; raises `subprocess.TimeoutExpired`."""
        if self._status is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("moorings", timeout or 0)
            self._end()
        assert self._status is not None
        return self._status

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it may end before the signal is sent
                os.kill(self.pid, number)

    def _end(self) -> None:
        self._status = int(self._lines.readline())
        self._lines.close()
        self._connection.close()


def run(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` does with a command and its output captured."""
    with NOTHING.open("rb") as nothing, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = Forked(arguments, env, cwd, (nothing, out, err))
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode().replace("\r\n", "\n"))
    return subprocess.CompletedProcess([*arguments], status, *texts)


@cache
def _server() -> str:
    """The address of the process that forks, which ends with this one."""
    directory = Path(tempfile.mkdtemp(prefix="moorings-forked-"))
    server = subprocess.Popen([sys.executable, "-m", __name__, directory / "socket"], stdin=subprocess.PIPE)

    def end() -> None:
        assert server.stdin is not None
        server.stdin.close()
        server.wait(START_DEADLINE_S)
        shutil.rmtree(directory)

    atexit.register(end)
    deadline = time.monotonic() + START_DEADLINE_S
    while not (directory / "socket").exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("The program of the commands could not be loaded.")
        time.sleep(0.01)
    return f"{directory}/socket"


def _serve(address: Path) -> None:
    """Fork for every connection, until stdin ends; returns in the process of a command, which then runs it."""
    listener = socket.socket(socket.AF_UNIX)
    unready = address.with_suffix(".new")
    listener.bind(str(unready))
    listener.listen(64)
    unready.rename(address)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _attend(connection)
            return
        connection.close()
    sys.exit()


def _attend(connection: socket.socket) -> None:
    """Fork once more and report how the command ends; returns in its process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    left = int.from_bytes(connection.recv(4, socket.MSG_WAITALL), "big")
    data, descriptors, _, _ = socket.recv_fds(connection, min(left, MAX_REQUEST_BYTES), 3)
    while len(data) < left:
        data += connection.recv(left - len(data))
    request = json.loads(data)
    pid = os.fork()
    if pid == 0:
        connection.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        time.tzset()
        sys.argv[:] = request["arguments"]
        return
    for descriptor in descriptors:
        os.close(descriptor)
    _report(connection, pid)


def _report(connection: socket.socket, pid: int) -> NoReturn:
    connection.sendall(b"%d\n" % pid)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        connection.sendall(b"%d\n" % status)
    finally:
        os._exit(0)


if __name__ == "__main__":
    from importlib import import_module

    for name in PRELOADED:
        import_module(name)
    _serve(Path(sys.argv[1]))
    import_module("moorings").main()
