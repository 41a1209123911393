"""A primary and a hot standby of it, real servers, of which the standby can be promoted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from tests.support.databases.postgres import (
    STOP_DEADLINE_S,
    PostgresServer,
    _answers,
    _binaries,
    _finish,
    _unprivileged_account,
)
from tests.support.databases.stoppable_postgres import StoppablePostgres, own_postgres
from tests.support.ports import free_port


class Standby:
    """A server that replays what its primary writes, and answers reads; see `replicated`."""

    def __init__(self, primary: PostgresServer) -> None:
        self._account = _unprivileged_account()
        self._directory = primary.directory / "standby"
        self._binaries = _binaries(primary.directory, self._account)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        url = urlsplit(primary.url("postgres"))
        self._url = url._replace(netloc=f"{url.netloc.rpartition(':')[0]}:{self.port}").geturl()

    def start(self, primary: PostgresServer) -> None:
        """Copy the primary, and start; it answers when this returns."""
        data = self._directory / "data"
        self._directory.mkdir()
        if self._account:
            os.chown(self._directory, self._account["user"], self._account["group"])
        source = primary.url("postgres")
        copy = ["--dbname", source, "--pgdata", str(data), "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        done = subprocess.run(
            [self._binaries / "pg_basebackup", *copy],
            check=False,
            capture_output=True,
            text=True,
            cwd=self._directory,
            **self._account,
        )
        assert done.returncode == 0, done.stderr
        settings = {"port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        settings |= {"fsync": "off", "max_connections": "200"}
        with (self._directory / "postgres.log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                **self._account,
            )
        assert _finish(_answers(self._url, self._process)), self.log_text()

    def promote(self) -> None:
        """Make it a primary, and wait until it is one."""
        done = subprocess.run(
            [self._binaries / "pg_ctl", "promote", "-D", self._directory / "data", "-w"],
            check=False,
            capture_output=True,
            text=True,
            cwd=self._directory,
            **self._account,
        )
        assert done.returncode == 0, done.stderr

    def log_text(self) -> str:
        """What it logged."""
        return (self._directory / "postgres.log").read_text(errors="replace")

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGQUIT)
            self._process.wait(STOP_DEADLINE_S)
        shutil.rmtree(self._directory, ignore_errors=True)


@contextmanager
def replicated() -> Iterator[tuple[StoppablePostgres, Standby]]:
    """A primary, and a standby that follows it."""
    with own_postgres() as primary:
        standby = Standby(primary)
        try:
            standby.start(primary)
            yield primary, standby
        finally:
            standby.stop()


def of_both(primary: PostgresServer, standby: Standby, database: str, attributes: str | None) -> str:
    """The URL of a database on both, the standby first, with these `target_session_attrs`."""
    parts = urlsplit(primary.url(database))
    login, _, host = parts.netloc.rpartition("@")
    query = parts.query if attributes is None else f"{parts.query}&target_session_attrs={attributes}"
    return parts._replace(netloc=f"{login}@127.0.0.1:{standby.port},{host}", query=query).geturl()
