"""A PostgreSQL of a test's own that can be stopped and started again on the same port with the same data."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.databases.postgres import DATABASE_URL_VARIABLE, STOP_DEADLINE_S, PostgresServer, _answers, _finish
from tests.support.gateway.processes import children


class StoppablePostgres(PostgresServer):
    """See `own_postgres`."""

    def halt(self) -> None:
        """Stop the server as its operator would, every connection told; its data stays."""
        assert self._processes is not None
        self._processes[0].send_signal(signal.SIGINT)
        self._let_go()

    def kill(self) -> None:
        """End every process of the server at once, as a machine without power would; its data stays."""
        assert self._processes is not None
        postmaster = self._processes[0].pid
        os.kill(postmaster, signal.SIGSTOP)  # it starts no other meanwhile
        for pid in [*children(postmaster), postmaster]:
            os.kill(pid, signal.SIGKILL)
        self._let_go()

    def _let_go(self) -> None:
        """Wait for the end of the server, and keep its data."""
        assert self._processes is not None
        postgres, keeper = self._processes
        postgres.wait(STOP_DEADLINE_S)
        # The keeper would remove the data now; the next one of `resume` takes over.
        keeper.kill()
        keeper.wait(STOP_DEADLINE_S)
        assert keeper.stdin is not None
        keeper.stdin.close()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of the server in the block, as a hung machine would: connections stay, and say nothing."""
        assert self._processes is not None
        postmaster = self._processes[0].pid
        os.kill(postmaster, signal.SIGSTOP)
        stopped = [postmaster, *children(postmaster)]
        for pid in stopped[1:]:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def resume(self) -> None:
        """Start the server again and wait until it answers."""
        assert self._processes is not None
        command = self._processes[0].args
        assert isinstance(command, list)
        url = self.url("postgres")
        answers = _answers(url, self._launch(Path(command[0]).parent, urlsplit(url).port or 0))
        assert _finish(answers), "PostgreSQL did not start again"


@contextmanager
def own_postgres(**settings: str) -> Iterator[StoppablePostgres]:
    """A server of this test's own, even where the environment names one."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv(DATABASE_URL_VARIABLE, raising=False)
        server = StoppablePostgres(settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
