"""A PgBouncer of this test's own in front of a PostgreSQL."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.support.databases.postgres import _unprivileged_account, at_port
from tests.support.proxies.listening_program import ListeningProgram
from tests.support.proxies.provide import PGBOUNCER, program

CONFIGURATION = """
[databases]
* = host={host} port={server_port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
logfile = {directory}/{log_name}
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


class PgBouncer(ListeningProgram):
    """See `pgbouncer`."""

    log_name = "pgbouncer.log"

    def __init__(self, server_url: str, *, mode: str, size: int, options: str) -> None:
        server = urlsplit(server_url)
        super().__init__("pgbouncer")
        text = CONFIGURATION.format(
            host=server.hostname,
            server_port=server.port,
            user=server.username,
            password=server.password,
            port=self.port,
            directory=self.directory,
            log_name=self.log_name,
            mode=mode,
            size=size,
        )
        self._configuration = self.directory / "pgbouncer.ini"
        self._configuration.write_text(f"{text}{options}\n", encoding="utf-8")

    def url(self, url: str) -> str:
        """The URL of a database of the server, through this."""
        return at_port(url, self.port)

    def start(self) -> PgBouncer:
        """Start, and wait until it listens; PgBouncer does not run as root."""
        command = program(PGBOUNCER)
        assert command is not None, "`make test` brings PgBouncer: see tests/support/proxies/provide.py"
        account = _unprivileged_account()
        if account:
            for path in (self.directory, self._configuration):
                os.chown(path, account["user"], account["group"])
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": self.directory}
        self.run([command, "-q", str(self._configuration)], quiet | dict(account))
        return self
