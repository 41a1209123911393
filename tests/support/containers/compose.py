"""docker-compose.yml as it is, run by podman-compose in a copy of its folder; other images have stand-ins."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.support.containers import engine
from tests.support.containers.engine import COMPOSE, Failed, inspect, podman, run
from tests.support.containers.gateway_container import until
from tests.support.containers.provide import stand_in
from tests.support.paths import ROOT

ADDRESS = "127.0.0.1", 8000
"""Where docker-compose.yml publishes nginx."""
GATEWAYS = "gateway-a", "gateway-b"
IMAGES = ("nginx", "postgres", "valkey", "store")


class Installation:
    """All containers of the file, the store of its profile among them."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        """In a new directory; `settings` go to its `.env`."""
        self.directory = directory / "moorings"
        self.directory.mkdir()
        shutil.copy(ROOT / "docker-compose.yml", self.directory)
        shutil.copytree(ROOT / "deploy" / "container", self.directory / "deploy" / "container")
        images = {f"{name.upper()}_IMAGE": stand_in(name) for name in IMAGES}
        variables = images | dict(settings)
        (self.directory / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))

    def make_secrets(self) -> None:
        """Run the script of the repository, which takes the key from a gateway of a checkout or from the image."""
        program = self.directory / ".venv" / "bin" / "moorings"
        program.parent.mkdir(parents=True)
        program.symlink_to(ROOT / ".venv" / "bin" / "moorings")
        run("sh", "deploy/container/secrets.sh", cwd=self.directory)
        shutil.rmtree(self.directory / ".venv")

    def compose(self, *arguments: str) -> str:
        """Run podman-compose; returns what it prints. Raises Failed."""
        return run(COMPOSE, "--profile", "store", *arguments, cwd=self.directory)

    def up(self) -> None:
        """Start everything and wait until both gateways serve."""
        self.compose("up", "--detach")
        until(self.is_ready, "both gateways are ready")
        until(lambda: self.answers("/healthz"), "nginx passes requests on")

    def down(self, *options: str) -> None:
        """Remove the containers; with `--volumes` what they kept too."""
        self.compose("down", *options)

    def upgrade(self) -> str:
        """Replace the gateways one after the other, by the script of the repository."""
        command = f"{COMPOSE} --profile store"
        return run("sh", "deploy/container/upgrade.sh", cwd=self.directory, COMPOSE=command, BUILD="no")

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return f"{self.directory.name}_{service}_1"

    def execute(self, service: str, *command: str) -> str:
        """What a command in a service's container prints. Raises Failed."""
        return podman("exec", self.container(service), *command)

    def is_ready(self, *services: str) -> bool:
        """Whether these gateways, or both, would answer requests."""
        try:
            for service in services or GATEWAYS:
                self.execute(service, "python", "/opt/moorings/healthcheck.py", "/readyz")
        except Failed:
            return False
        return True

    def wait_for(self, service: str) -> None:
        """Wait until a gateway is ready."""
        until(lambda: self.is_ready(service), f"{service} is ready")

    def answers(self, path: str) -> bool:
        """Whether nginx answers 200 there."""
        try:
            return httpx.get(f"{self.url}{path}", timeout=10, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    @property
    def url(self) -> str:
        """Where clients call."""
        return f"http://{ADDRESS[0]}:{ADDRESS[1]}"

    def new_token(self, email: str) -> str:
        """A token of a new user, made as the manual says."""
        made = ("user", "create", "--email", email, "--name", "Ada")
        self.execute("gateway-a", "moorings", *made)
        return self.execute("gateway-b", "moorings", "token", "create", "--email", email).split()[-1]

    def kill(self, service: str) -> None:
        """End all processes of a container from outside, as a machine that is out of memory would."""
        os.kill(int(inspect(self.container(service))["State"]["Pid"]), signal.SIGKILL)

    def start(self, service: str) -> None:
        """Start a container that ended, which `restart: unless-stopped` does where an engine watches."""
        podman("start", self.container(service))

    def logs(self, service: str) -> str:
        """Everything that a service wrote."""
        return engine.logs(self.container(service))

    def containers(self) -> list[str]:
        """The names of all containers there are."""
        done = subprocess.run(
            ["podman", "ps", "--all", "--format", "{{.Names}}"],
            env=engine.variables(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return sorted(done.stdout.split())
