"""A gateway in a container of its own, confined as docker-compose.yml confines it, on a volume that outlives it."""

from __future__ import annotations

import os
import signal
import time
from types import TracebackType
from typing import Any
from uuid import uuid4

import httpx

from tests.support.containers import engine
from tests.support.containers.engine import IMAGE, Failed, podman
from tests.support.ports import free_port

DEADLINE_S = 120
CONFINED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")  # noqa: S108
LIMITS = ("--memory", "512m", "--pids-limit", "256")


def until(condition: Any, what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


class GatewayContainer:
    """`moorings serve` of an image, in the network namespace of the test."""

    def __init__(self, volume: str, *options: str, image: str = IMAGE) -> None:
        self.name = f"gateway-{uuid4().hex[:12]}"
        self.port = free_port()
        self._start = (*CONFINED, *LIMITS, "--network", "host", "--volume", f"{volume}:/data", *options, image)

    def __enter__(self) -> GatewayContainer:
        self.start()
        until(self.is_healthy, "it is not healthy")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        podman("rm", "--force", "--ignore", self.name)

    def start(self) -> None:
        """Start it, without waiting until it serves."""
        serve = ("moorings", "serve", "--host", "0.0.0.0", "--port", str(self.port))  # noqa: S104
        podman("run", "--detach", "--name", self.name, *self._start, *serve)

    def is_healthy(self) -> bool:
        """What the health check of the image says."""
        try:
            podman("healthcheck", "run", self.name)
        except Failed:
            return False
        return True

    def run(self, *command: str) -> str:
        """What a command in the container prints. Raises Failed."""
        return podman("exec", self.name, *command)

    def stop(self) -> tuple[int, float]:
        """Send SIGTERM as an engine does; returns the exit status and the seconds it took."""
        began = time.monotonic()
        podman("stop", "--time", "60", self.name)
        return int(engine.inspect(self.name)["State"]["ExitCode"]), time.monotonic() - began

    def kill(self) -> None:
        """End its first process from outside, as a machine that is out of memory would."""
        os.kill(int(engine.inspect(self.name)["State"]["Pid"]), signal.SIGKILL)

    def client(self, token: str) -> httpx.Client:
        """A client with a token."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=30, trust_env=False)
