"""podman with a configuration and a storage of this checkout's own under `/var/tmp`, and nothing of the machine's.

It works without systemd, with cgroups of either version, and inside a network namespace.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT

PLACE = Path("/var/tmp") / f"moorings-containers-{sha256(str(ROOT).encode()).hexdigest()[:8]}"  # noqa: S108
"""Outside the checkout, through which programs walk: an image has a hundred thousand files. Root alone may enter."""
IMAGE = "localhost/moorings:local"
"""As docker-compose.yml names it."""
COMPOSE = PLACE / "compose" / "bin" / "podman-compose"
DEADLINE_S = 900
PROGRAMS = ("podman", "buildah", "runc", "mmdebstrap", "nsenter", "unshare", "ip")

_CONTAINERS = """
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
image_copy_tmp_dir = "{place}/tmp"
[network]
network_backend = "netavark"
network_config_dir = "{place}/networks"
"""
_STORAGE = """
[storage]
driver = "overlay"
graphroot = "{place}/storage"
runroot = "{place}/run"
"""


class Failed(Exception):
    """A program that ended badly; the message is what it wrote."""


def variables() -> dict[str, str]:
    """The environment of podman and of what starts it; writes the configuration that it names."""
    PLACE.mkdir(mode=0o700, exist_ok=True)
    (PLACE / "tmp").mkdir(exist_ok=True)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    written = {"containers.conf": _CONTAINERS, "storage.conf": _STORAGE}
    for name, text in written.items():
        (PLACE / name).write_text(text.format(place=PLACE, files=files))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOORINGS_")}
    return inherited | {
        "CONTAINERS_CONF": str(PLACE / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(PLACE / "storage.conf"),
        "DISABLE_HC_SYSTEMD": "true",
        "TMPDIR": str(PLACE / "tmp"),
    }


def run(*command: str | Path, cwd: Path = ROOT, deadline_s: float = DEADLINE_S, **more: str) -> str:
    """Run a program in the environment of podman and `more`; returns its standard output. Raises Failed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=variables() | more,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=deadline_s,
        check=False,
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def podman(*arguments: str | Path, deadline_s: float = DEADLINE_S) -> str:
    """Run podman; returns its standard output without white space around it."""
    return run("podman", *arguments, deadline_s=deadline_s).strip()


def inspect(container: str) -> dict[str, Any]:
    """What podman knows of a container."""
    (found,) = json.loads(podman("container", "inspect", container))
    return dict(found)


def logs(container: str) -> str:
    """Everything that a container wrote."""
    done = subprocess.run(
        ["podman", "logs", container], env=variables(), capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def missing() -> list[str]:
    """The programs that are not there."""
    return [program for program in PROGRAMS if shutil.which(program) is None]
