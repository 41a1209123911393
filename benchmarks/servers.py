"""A contender as a process on its core: started, waited for, and stopped with everything it started."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.contenders import Ask, Contender
from benchmarks.data import Stage
from benchmarks.machine import BenchmarkRefused, Cores, on_cores
from benchmarks.packages import node_program, peers_python
from benchmarks.processes import largest_resident_bytes
from benchmarks.proxy import proxied
from tests.support.ports import free_port

ROOT = Path(__file__).parent.parent
START_DEADLINE_S = 60
STOP_DEADLINE_S = 15
_LOG_END = 2_000
# Reads until its owner closes the pipe or dies, however it dies; then everything the contender started goes.
_KEEPER = 'cat; kill -KILL "-$1"'


class Server:
    """One running contender; `started_in_s` is the time from its start to its first answer.

    `started_with_mb` is the resident memory of its largest process then, in MiB.
    """

    def __init__(self, contender: Contender, stage: Stage, cores: Cores) -> None:
        self.contender = contender
        self.port = free_port()
        self.proxied_port = 0
        """Of the nginx in front of it; 0 where there is none."""
        self.started_in_s = 0.0
        self.started_with_mb = 0.0
        self._environment = _environment(contender, stage, self.port)
        self._log_path = Path(os.devnull)
        self._cores = cores.server if contender.workers == 1 else cores.both
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def cores(self) -> frozenset[int]:
        """Where it runs."""
        return self._cores

    @property
    def pid(self) -> int:
        """The process all processes of this contender descend from."""
        if self._process is None:
            raise RuntimeError(f"{self.contender.name} is not started")
        return self._process.pid

    def start(self, log_path: Path) -> None:
        """Start it and wait for its first answer; raises `BenchmarkRefused` with the end of its log."""
        started = time.perf_counter()
        self._log_path = log_path
        with on_cores(self._cores), log_path.open("wb") as log:
            self._process = subprocess.Popen(
                _command(self.contender, self.port),
                env=self._environment,
                cwd=log_path.parent if self.contender.is_ours else ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._keeper = _keeper_of(self._process.pid)
        while not self._answers():
            if self._process.poll() is not None or time.perf_counter() - started > START_DEADLINE_S:
                raise BenchmarkRefused(f"{self.contender.title} did not start:\n{self.log_end()}")
            time.sleep(0.01)
        self.started_in_s = time.perf_counter() - started
        self.started_with_mb = largest_resident_bytes(self._process.pid) / (1 << 20)

    def log_end(self) -> str:
        """The end of what it wrote so far."""
        return self._log_path.read_text(errors="replace")[-_LOG_END:]

    def stop(self) -> None:
        """End it: politely, then with force."""
        if self._process is None or self._keeper is None:
            return
        for sent in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, sent)
                self._process.wait(STOP_DEADLINE_S)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
            break
        self._keeper.communicate()

    def _answers(self) -> bool:
        """Any answer will do: the gateway has a path for this, the peers refuse a request without a token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_DEADLINE_S)
        try:
            connection.request("GET", "/readyz" if self.contender.is_ours else "/api/backup-destinations")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return not self.contender.is_ours or status == http.client.OK


@contextmanager
def running(
    contenders: Sequence[Contender], stage: Stage, cores: Cores, *, are_proxied: bool = False
) -> Iterator[Mapping[str, Server]]:
    """The contenders, all started, by name, and an nginx in front of those that browsers ask, if they are proxied.

    All of them end with the block, however it ends.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moorings-benchmarks-")))
        servers = {}
        for contender in contenders:
            server = Server(contender, stage, cores)
            stack.callback(server.stop)
            server.start(directory / f"{contender.name}.log")
            servers[contender.name] = server
        if are_proxied:
            browsed = [server for server in servers.values() if Ask.BROWSE in server.contender.asks]
            ports = stack.enter_context(proxied(server.port for server in browsed))
            for server in browsed:
                server.proxied_port = ports[server.port]
        yield servers


def _keeper_of(pid: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _KEEPER, "keeper", str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _command(contender: Contender, port: int) -> list[str]:
    command = " ".join(contender.command)
    filled = {"{port}": str(port)}
    if "{python}" in command:
        filled["{python}"] = str(peers_python())
    if "{node}" in command:
        filled["{node}"] = str(node_program())
    return [filled.get(word, word) for word in contender.command]


def _environment(contender: Contender, stage: Stage, port: int) -> dict[str, str]:
    peers = {"DATABASE_URL": stage.url, "SECRET_KEYS": stage.secret_keys, "PORT": str(port), "NODE_ENV": "production"}
    return {**stage.gateway_environment, **(contender.settings if contender.is_ours else peers)}
