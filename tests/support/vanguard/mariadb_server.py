"""A real MariaDB for tests, from Debian's `mariadb-server`, where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

PROGRAMS = ("mariadbd", "mariadb-install-db", "mysql")
START_DEADLINE_S = 120
STOP_DEADLINE_S = 60
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
ZONE = "Europe/Berlin"
"""The time zone of the server, and so of its sessions."""


def is_installed() -> bool:
    """Whether its programs are here."""
    return all(shutil.which(program, path=_PATH) is not None for program in PROGRAMS)


class MariaDbServer:
    """A server with a socket and no port; its data is gone when it stops."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="moorings-mariadb-"))  # short: it holds the socket
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> MariaDbServer:
        """Make the data, start the server and wait until it has a session for the client; some seconds."""
        as_root = ["--user=root"] if os.geteuid() == 0 else []
        data = f"--datadir={self._directory}/data"
        subprocess.run(
            [
                *(_program("mariadb-install-db"), "--no-defaults", data, "--skip-test-db", *as_root),
                "--auth-root-authentication-method=normal",
            ],
            check=True,
            capture_output=True,
            timeout=START_DEADLINE_S,
        )
        socket = f"{self._directory}/socket"
        (self._directory / ".my.cnf").write_text(f"[client]\nuser=root\nsocket={socket}\n")
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(_program("mariadbd"), "--no-defaults", data, f"--socket={socket}", "--skip-networking", *as_root),
                    *("--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"),
                ],
                env={**os.environ, "TZ": ZONE},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_DEADLINE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._directory / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """End the server and remove its data."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_DEADLINE_S)
        shutil.rmtree(self._directory)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables with which a client finds the server, in its own file."""
        return {"HOME": str(self._directory)}

    def execute(self, statements: str, database: str = "") -> str:
        """What the client prints for some statements."""
        done = self._client(statements, database)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def _answers(self) -> bool:
        return self._client("SELECT 1", "").returncode == 0

    def _client(self, statements: str, database: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["mysql", "--batch", "--raw", "--skip-column-names", "--default-character-set=utf8mb4", database],
            input=statements,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=START_DEADLINE_S,
            check=False,
        )


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    assert found is not None
    return found
