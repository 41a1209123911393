"""Two PostgreSQL servers under Patroni with etcd, of Debian's packages, on free ports of 127.0.0.1."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.databases.postgres import _unprivileged_account
from tests.support.gateway.processes import children
from tests.support.ports import free_port

BINARIES = Path("/usr/lib/postgresql/15/bin")
PROGRAMS = ("etcd", "patroni")
PASSWORD = "of-the-tests"
DEADLINE_S = 60.0
TTL_S, LOOP_S, RETRY_S = 5, 1, 2
"""Patroni's `ttl`, `loop_wait` and `retry_timeout`."""


def is_installed() -> bool:
    """Whether this machine has Patroni, etcd and PostgreSQL 15 as Debian packages them."""
    return all(shutil.which(name) for name in PROGRAMS) and (BINARIES / "postgres").exists()


@dataclass(slots=True)
class Node:
    """One Patroni with its PostgreSQL."""

    name: str
    port: int
    api_port: int
    process: subprocess.Popen[bytes] | None = None

    def state(self) -> dict[str, Any]:
        """What Patroni says of it; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.api_port}/patroni", timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            found = json.load(error)
        except (OSError, ValueError):
            found = {}
        return found


class PatroniCluster:
    """See `patroni_cluster`."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="moorings-patroni-"))
        self._account = _unprivileged_account()
        if self._account:
            os.chown(self.directory, self._account["user"], self._account["group"])
        self._etcd_port, self._peer_port = free_port(), free_port()
        self._etcd: subprocess.Popen[bytes] | None = None
        self.nodes = [Node(f"node{number}", free_port(), free_port()) for number in (1, 2)]

    @property
    def url(self) -> str:
        """The URL of the database on all nodes."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://postgres:{PASSWORD}@{hosts}/postgres?sslmode=disable&target_session_attrs=read-write"

    def start(self) -> None:
        """Start etcd and both nodes, and wait until one is primary and the other its synchronous standby."""
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        self._etcd = self._run(
            *("etcd", "--name=one", f"--data-dir={self.directory / 'etcd'}", f"--initial-cluster=one={peer}"),
            *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
            log="etcd.log",
        )
        for node in self.nodes:
            self.start_node(node)
            self.wait_for(lambda node=node: node.state().get("state") == "running")
        self.wait_for(self.is_whole)

    def start_node(self, node: Node) -> None:
        """Start Patroni, which starts its PostgreSQL, or makes it anew."""
        path = self.directory / f"{node.name}.json"  # JSON is YAML
        path.write_text(json.dumps(self._configuration(node)))
        node.process = self._run("patroni", str(path), log=f"{node.name}.log")

    def primary(self) -> Node | None:
        """The node that says it is the primary, if one does."""
        found = [node for node in self.nodes if node.state().get("role") in ("master", "primary")]
        return found[0] if len(found) == 1 else None

    def is_whole(self) -> bool:
        """Whether there are a primary and a synchronous standby."""
        states = [node.state() for node in self.nodes]
        return self.primary() is not None and any(state.get("sync_standby") for state in states)

    def switch_over(self) -> None:
        """Let the standby become the primary, as an operator asks for it."""
        old = self.primary()
        assert old is not None
        body = json.dumps({"leader": old.name}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{old.api_port}/switchover", data=body)
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310 - this machine's
            assert answer.status == 200

    def kill_postgresql(self) -> Node:
        """Kill every process of the primary's PostgreSQL with SIGKILL."""
        node = self.primary()
        assert node is not None
        postmaster = int((self.directory / node.name / "postmaster.pid").read_text().split()[0])
        for pid in (postmaster, *children(postmaster)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return node

    def kill_node(self) -> Node:
        """Kill the primary's Patroni and PostgreSQL with SIGKILL, as the end of its machine would."""
        node = self.primary()
        assert node is not None
        assert node.process is not None
        node.process.kill()
        node.process.wait()
        postmaster = int((self.directory / node.name / "postmaster.pid").read_text().split()[0])
        for pid in (postmaster, *children(postmaster)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return node

    def wait_for(self, is_so: Any) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + DEADLINE_S
        while not is_so():
            assert time.monotonic() < deadline, self.log_text()
            time.sleep(0.1)

    def log_text(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"{log.name}\n{log.read_text()[-2000:]}" for log in sorted(self.directory.glob("*.log")))

    def close(self) -> None:
        """End everything, and remove the directory."""
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                node.process.terminate()
        for node in self.nodes:
            if node.process is not None:
                try:
                    node.process.wait(DEADLINE_S)
                except subprocess.TimeoutExpired:
                    node.process.kill()
            pid_file = self.directory / node.name / "postmaster.pid"
            with suppress(OSError, ValueError):
                os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
        if self._etcd is not None:
            self._etcd.terminate()
            self._etcd.wait(DEADLINE_S)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, *command: str, log: str) -> subprocess.Popen[bytes]:
        with (self.directory / log).open("ab") as output:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.directory, **self._account
            )

    def _configuration(self, node: Node) -> dict[str, Any]:
        users = {"username": "postgres", "password": PASSWORD}
        return {
            "scope": "moorings",
            "name": node.name,
            "restapi": {"listen": f"127.0.0.1:{node.api_port}", "connect_address": f"127.0.0.1:{node.api_port}"},
            "etcd3": {"hosts": f"127.0.0.1:{self._etcd_port}"},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL_S,
                    "loop_wait": LOOP_S,
                    "retry_timeout": RETRY_S,
                    "master_start_timeout": 0,
                    "synchronous_mode": True,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "parameters": {"max_connections": 100, "wal_log_hints": "on", "wal_keep_size": "128MB"},
                    },
                },
                "initdb": [{"encoding": "UTF8"}, "data-checksums"],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{node.port}",
                "connect_address": f"127.0.0.1:{node.port}",
                "data_dir": str(self.directory / node.name),
                "bin_dir": str(BINARIES),
                "pgpass": str(self.directory / f"{node.name}.pgpass"),
                "authentication": {"superuser": users, "replication": users, "rewind": users},
                "parameters": {"unix_socket_directories": str(self.directory)},
                "pg_hba": [
                    "host all all 127.0.0.1/32 scram-sha-256",
                    "host replication all 127.0.0.1/32 scram-sha-256",
                    "local all all scram-sha-256",
                ],
            },
            "watchdog": {"mode": "off"},
        }


@contextmanager
def patroni_cluster() -> Iterator[PatroniCluster]:
    """A running cluster of two."""
    cluster = PatroniCluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()
