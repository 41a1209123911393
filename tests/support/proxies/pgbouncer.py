"""A PgBouncer of this test's own in front of a PostgreSQL."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.databases.postgres import _unprivileged_account
from tests.support.ports import free_port
from tests.support.proxies.provide import PGBOUNCER, program

START_DEADLINE_S = 20.0
CONFIGURATION = """
[databases]
* = host={host} port={server_port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
logfile = {directory}/pgbouncer.log
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 200
server_fast_close = 1
"""


@contextmanager
def pgbouncer(server_url: str, *, mode: str = "transaction", size: int = 5, options: str = "") -> Iterator[PgBouncer]:
    """PgBouncer before the server of a URL, as that URL's user, with `size` sessions for each database.

    `options` are further lines of its configuration; without any it is as the package leaves it.
    """
    pooler = PgBouncer(server_url, mode=mode, size=size, options=options).start()
    try:
        yield pooler
    finally:
        pooler.close()


class PgBouncer:
    """See `pgbouncer`."""

    def __init__(self, server_url: str, *, mode: str, size: int, options: str) -> None:
        server = urlsplit(server_url)
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="moorings-pgbouncer-"))
        text = CONFIGURATION.format(
            host=server.hostname,
            server_port=server.port,
            user=server.username,
            password=server.password,
            port=self.port,
            directory=self.directory,
            mode=mode,
            size=size,
        )
        self._configuration = self.directory / "pgbouncer.ini"
        self._configuration.write_text(f"{text}{options}\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, url: str) -> str:
        """The URL of a database of the server, through this."""
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{login}@127.0.0.1:{self.port}").geturl()

    def start(self) -> PgBouncer:
        """Start, and wait until it listens; PgBouncer does not run as root."""
        command = program(PGBOUNCER)
        assert command is not None, "`make test` brings PgBouncer: see tests/support/proxies/provide.py"
        account = _unprivileged_account()
        if account:
            for path in (self.directory, self._configuration):
                os.chown(path, account["user"], account["group"])
        self._process = subprocess.Popen(
            [command, "-q", str(self._configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.directory,
            **account,
        )
        deadline = time.monotonic() + START_DEADLINE_S
        while True:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self._process.poll() is None, self.log_text()
            assert time.monotonic() < deadline, self.log_text()
            time.sleep(0.02)

    def log_text(self) -> str:
        """What it logged."""
        log = self.directory / "pgbouncer.log"
        return log.read_text("utf-8") if log.exists() else ""

    def close(self) -> None:
        """Stop, and remove the directory."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_DEADLINE_S)
        shutil.rmtree(self.directory)
