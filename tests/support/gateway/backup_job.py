"""A backup job: `moorings backup` in a folder of its own, with nothing but a URL and a token."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.gateway.gateway import MOORINGS, Account, environment

DEADLINE_S = 300
LONG_S = 1_800
"""For gigabytes, on a machine that does other things too."""


class BackupJob:
    """The job of one user, for one destination; its programs keep their state in its folder too."""

    def __init__(self, directory: Path, account: Account, destination: int) -> None:
        self.directory = directory
        self._arguments = ["--destination", str(destination)]
        self._environment = environment() | {
            "MOORINGS_URL": account.gateway.url,
            "MOORINGS_TOKEN": account.token,
            "XDG_STATE_HOME": str(directory / "state"),
        }

    def run(self, *arguments: str, content: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end; `content` is its standard input."""
        return subprocess.run(
            self._command(arguments),
            env=self._environment,
            cwd=self.directory,
            input=content,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def done(self, *arguments: str, content: bytes | None = None) -> dict[str, Any]:
        """What a command that succeeds says in JSON."""
        run = self.run(*arguments, "--json", content=content)
        assert (run.returncode, run.stderr) == (0, b""), run.stderr
        said: dict[str, Any] = json.loads(run.stdout)
        return said

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start a command, which ends by itself or is killed."""
        return subprocess.Popen(
            self._command(arguments),
            env=self._environment,
            cwd=self.directory,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def measured(self, *arguments: str) -> tuple[int, int]:
        """Run a command to its end; its exit status, and the most memory it had, in bytes."""
        process, most = self.start(*arguments), 0
        deadline = time.monotonic() + LONG_S
        while process.poll() is None:
            assert time.monotonic() < deadline
            most = max(most, memory_of(process.pid))
            time.sleep(0.05)
        return process.returncode, most

    def noted_parts(self) -> int:
        """How many parts the transfers that are under way have noted."""
        files = (self.directory / "state").glob("moorings/transfers/*.json")
        return sum(len(json.loads(file.read_text())["progress"].get("parts", {})) for file in files)

    def killed_after(self, parts: int, *arguments: str) -> None:
        """Start a command, and kill it as soon as that many parts are noted."""
        process = self.start(*arguments)
        deadline = time.monotonic() + LONG_S
        while self.noted_parts() < parts:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [MOORINGS, "backup", *arguments, *self._arguments]


def memory_of(pid: int) -> int:
    """The most memory that a process had so far, in bytes; 0 for one that has ended."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if found is None else int(found[1]) * 1_024
