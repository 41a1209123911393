"""Older releases of graphql-core, each in a directory of its own under `.cache`, for the tests of Python clients."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.browser.node import CACHE, one_at_a_time
from tests.support.paths import ROOT

REQUIREMENTS = ROOT / "tests" / "clients" / "graphql-core.txt"
INSTALL_DEADLINE_S = 300
PINS = {
    line.partition("==")[2].split()[0]: line
    for line in REQUIREMENTS.read_text("utf-8").splitlines()
    if line.startswith("graphql-core==")
}
"""The lines of the requirements, by release."""


class ProgramFailed(Exception):
    """A program ended badly; the message is what it wrote."""


def provide(release: str) -> Path:
    """The directory with that release, which is installed once."""
    directory = CACHE / "graphql-core" / release
    with one_at_a_time():
        if not directory.is_dir():
            _install(PINS[release], directory)
    return directory


def _install(pin: str, directory: Path) -> None:
    partial = directory.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    requirements = partial / "requirements.txt"
    requirements.write_text(pin + "\n", "utf-8")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(partial), "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_DEADLINE_S, check=False)
    if done.returncode != 0:
        raise ProgramFailed(done.stdout + done.stderr)
    partial.rename(directory)


async def run_with(release: str, program: str, *arguments: str) -> str:
    """Run a program of Python with that release, and return what it wrote; raises `ProgramFailed`."""
    directory = await asyncio.to_thread(provide, release)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        *arguments,
        env={**os.environ, "PYTHONPATH": str(directory)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    written, complaints = await process.communicate()
    if process.returncode != 0:
        raise ProgramFailed(complaints.decode())
    return written.decode()
