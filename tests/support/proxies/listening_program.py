"""A program of a test's own that listens on a free port and writes a log, with a directory that goes with it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.ports import free_port, listens

START_DEADLINE_S = 20.0


class ListeningProgram:
    """Its directory and port are there at once; `run` starts it."""

    log_name = "error.log"

    def __init__(self, name: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"moorings-{name}-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str], options: Mapping[str, Any] | None = None) -> None:
        """Start it, with these options of `subprocess`, and wait until it listens."""
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **(options or {}))
        deadline = time.monotonic() + START_DEADLINE_S
        while not listens(self.port):
            assert self._process.poll() is None, self.log_text()
            assert time.monotonic() < deadline, self.log_text()
            time.sleep(0.02)

    def log_text(self) -> str:
        """What it wrote."""
        log = self.directory / self.log_name
        return log.read_text("utf-8") if log.exists() else ""

    def close(self) -> None:
        """Stop it, and remove the directory."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_DEADLINE_S)
        shutil.rmtree(self.directory)
