"""The program that `moorings serve` becomes: the supervisor of the workers, with what it needs and nothing else."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
from dataclasses import asdict, dataclass

from app.logs import configure_logs
from web.server.workers import Supervisor


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the program is started with: its one argument, in JSON."""

    worker: list[str]
    """The command that starts a worker; the descriptor of its link is added."""
    listeners: list[int]
    """The descriptors of the listening sockets."""
    workers: int
    metrics_directory: str | None
    """Where the workers share their metrics; removed at the end."""
    hang_s: float
    drain_delay_s: float
    ready_wait_s: float
    log_level: str
    log_format: str

    def to_text(self) -> str:
        """The options as `from_text` reads them."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Options:
        """The options that `to_text` wrote."""
        return cls(**json.loads(text))


def main() -> int:
    """Supervise; returns the exit status."""
    options = Options.from_text(sys.argv[1])
    configure_logs(options.log_level, options.log_format)
    listeners = [socket.socket(fileno=descriptor) for descriptor in options.listeners]
    for listener in listeners:
        listener.set_inheritable(False)
    supervisor = Supervisor(
        options.worker,
        listeners,
        workers=options.workers,
        hang_s=options.hang_s,
        drain_delay_s=options.drain_delay_s,
        ready_wait_s=options.ready_wait_s,
    )
    try:
        return asyncio.run(supervisor.run())
    finally:
        if options.metrics_directory is not None:
            shutil.rmtree(options.metrics_directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
