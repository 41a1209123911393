"""A backup job: `moorings backup` in a folder of its own, with nothing but a URL and a token."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.gateway.gateway import MOORINGS, Account, environment

DEADLINE_S = 300


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

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command, which ends by itself or is killed."""
        return subprocess.Popen(
            self._command(arguments),
            env=self._environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def noted_parts(self) -> int:
        """How many parts the transfers that are under way have noted."""
        files = (self.directory / "state").glob("moorings/transfers/*.json")
        return sum(len(json.loads(file.read_text())["progress"].get("parts", {})) for file in files)

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return [MOORINGS, "backup", *arguments, *self._arguments]
