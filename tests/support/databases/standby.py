"""A standby of a PostgreSQL of a test's own, by streaming replication, that can be promoted."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.databases.postgres import START_DEADLINE_S, PostgresStartError, _answers, _finish
from tests.support.databases.stoppable_postgres import StoppablePostgres
from tests.support.ports import free_port


class Standby(StoppablePostgres):
    """See `standing_by`."""

    @property
    def host(self) -> str:
        """Its address and port."""
        return urlsplit(self._server_url).netloc.rpartition("@")[2]

    def promote(self) -> None:
        """Make it a primary, and wait until it is."""
        self.execute("postgres", "SELECT pg_promote(true, 60)")

    def follow(self, primary: StoppablePostgres, through_port: int | None) -> None:
        """Copy the primary and stream from it, over a port of 127.0.0.1 that may be a proxy's."""
        assert primary._processes is not None
        arguments = primary._processes[0].args
        assert isinstance(arguments, list)
        binaries = Path(arguments[0]).parent
        parts = urlsplit(primary.url("postgres"))
        self._directory = Path(tempfile.mkdtemp(prefix="moorings-standby-"))
        if self._account:
            os.chown(self._directory, self._account["user"], self._account["group"])
        source = f"host=127.0.0.1 port={through_port or parts.port} user={parts.username} password={parts.password}"
        command: list[str | Path] = [
            *(binaries / "pg_basebackup", "--pgdata", self._directory / "data", "--write-recovery-conf"),
            *("--dbname", f"{source} application_name=standby sslmode=disable", "--checkpoint=fast", "--no-sync"),
        ]
        copied = subprocess.run(
            command,
            cwd=self._directory,
            check=False,
            capture_output=True,
            text=True,
            timeout=START_DEADLINE_S,
            **self._account,
        )
        if copied.returncode != 0:
            raise PostgresStartError(copied.stderr)
        port = free_port()
        self._server_url = f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{port}/postgres"
        if not _finish(_answers(self._server_url, self._launch(binaries, port))):
            raise PostgresStartError(self.log_path.read_text()[-2000:])


@contextmanager
def standing_by(primary: StoppablePostgres, *, through_port: int | None = None) -> Iterator[Standby]:
    """A standby that streams from the primary, which outlives it."""
    standby = Standby()
    try:
        standby.follow(primary, through_port)
        yield standby
    finally:
        if standby._processes is not None:
            standby._end_processes()
        if standby._directory is not None:
            shutil.rmtree(standby._directory, ignore_errors=True)


def standby_first(primary: StoppablePostgres, standby: Standby, database: str, attributes: str | None) -> str:
    """The URL of a database on both, the standby named first, with these `target_session_attrs`."""
    parts = urlsplit(primary.url(database))
    login, _, host = parts.netloc.rpartition("@")
    query = parts.query if attributes is None else f"{parts.query}&target_session_attrs={attributes}"
    return parts._replace(netloc=f"{login}@{standby.host},{host}", query=query).geturl()
