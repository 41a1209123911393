"""Brings a PgBouncer that is newer than this system's, beside it: `python -m tests.support.proxies.newer_pgbouncer`.

It is Debian 13's, with the libraries that it is linked with, unpacked below `.cache/pgbouncer` and installed nowhere;
its signature is checked as apt checks that of every package. The mirror is the one that apt is configured with. Prints
the folder of the program. Needs Debian's apt and nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

RELEASE = "trixie"
PACKAGES = (
    "pgbouncer",
    "libaudit1",
    "libc6",
    "libcap-ng0",
    "libcap2",
    "libcares2",
    "libevent-2.1-7t64",
    "libpam0g",
    "libssl3t64",
    "libsystemd0",
    "libzstd1",
    "zlib1g",
)
"""The program and the libraries that it is linked with."""
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PLACE = ROOT / ".cache" / "pgbouncer"
START = """#!/bin/sh
exec {loader} --library-path {libraries} {program} "$@"
"""
"""The program with the C library and the others that it was built for."""
DEADLINE_S = 300


class NotProvided(Exception):
    """It cannot be had here; `str()` says why."""


def provide(place: Path = PLACE) -> Path:
    """The folder with the program, made where it is missing; raises `NotProvided`."""
    program = place / "bin" / "pgbouncer"
    if not program.exists():
        shutil.rmtree(place, ignore_errors=True)
        _download(place)
        root = place / "root"
        for package in sorted(place.glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(package), str(root)], place)
            package.unlink()
        loader = next(iter(sorted(root.glob("**/ld-linux*.so.*"))), None)
        built = root / "usr" / "sbin" / "pgbouncer"
        if loader is None or not built.exists():
            raise NotProvided(f"What was unpacked into {root} has no PgBouncer, or no loader of programs.")
        libraries = ":".join(sorted({str(each.parent) for each in root.glob("**/*.so.*") if each.is_file()}))
        program.parent.mkdir()
        program.write_text(START.format(loader=loader, libraries=libraries, program=built))
        program.chmod(0o755)
    return program.parent


def _download(place: Path) -> None:
    """The packages, by lists of packages of their own: those of the system stay as they are."""
    if shutil.which("apt-get") is None or not KEYS.exists():
        raise NotProvided("There is no Debian here that could bring a newer PgBouncer; put one on the PATH instead.")
    (place / "lists" / "partial").mkdir(parents=True)
    mirrors = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], place).split()
    mirror = next((each for each in mirrors if each.rstrip("/").endswith("/debian")), None)
    if mirror is None:
        raise NotProvided("apt is configured with no mirror of Debian.")
    (place / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror} {RELEASE} main\n")
    (place / "status").touch()
    options = {
        "Dir::Etc::sourcelist": place / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": place / "lists",
        "Dir::State::status": place / "status",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    _run([*apt, "update"], place)
    _run([*apt, "download", *PACKAGES], place)
    shutil.rmtree(place / "lists")


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    if done.returncode != 0:
        raise NotProvided(f"{command[0]} failed: {' '.join(done.stderr.split())[:500]}")
    return done.stdout


def main() -> int:
    """Print the folder; returns the exit status."""
    try:
        sys.stdout.write(f"{provide()}\n")
    except NotProvided as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
