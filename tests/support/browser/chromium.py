"""Which Chromium the tests use, and how one is started. Needs nothing but the standard library.

A program counts as a browser when it starts the way the tests start it. A name on the PATH says little: on Ubuntu
`chromium-browser` is a script that asks for a snap, and a snap sees neither the profile nor the port file made here.
"""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support.paths import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome")
APPLICATIONS = tuple(Path(f"/Applications/{name}.app/Contents/MacOS/{name}") for name in ("Google Chrome", "Chromium"))
"""Where macOS has browsers, which it does not put on the PATH."""
PACKAGED = Path(__file__).with_name("packaged")
"""The files that make a browser of the npm package."""
PLACE = ROOT / ".cache" / "browser"
"""Where that browser is installed."""
OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
START_DEADLINE_S = 60
STOP_DEADLINE_S = 60
POLL_S = 0.03


class BrowserMissing(Exception):
    """No program that was found starts; the message says which ones there are and what brings a browser."""

    def __init__(self, found: list[Path]) -> None:
        """Takes the programs that did not start, none if there are none."""
        self.found = found
        tried = f" ({', '.join(map(str, found))}: did not start)" if found else ""
        super().__init__(f"There is no Chromium for the tests{tried}; `make browser` brings one.")


class BrowserDidNotStart(Exception):
    """The process ended or did not open its port; the message is the program."""


class Chromium:
    """One running process with a profile of its own."""

    def __init__(self, program: Path) -> None:
        """Start the program and wait for its port; raises `BrowserDidNotStart`."""
        self._profile = Path(tempfile.mkdtemp(prefix="moorings-browser-"))
        try:
            self._process = subprocess.Popen(
                [program, *OPTIONS, f"--user-data-dir={self._profile}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"HOME": str(self._profile), "PATH": "/usr/bin:/bin"},
            )
        except OSError:  # a file for another processor, or one that is no program
            shutil.rmtree(self._profile, ignore_errors=True)
            raise BrowserDidNotStart(program) from None
        port_file, deadline = self._profile / "DevToolsActivePort", time.monotonic() + START_DEADLINE_S
        while not (port_file.exists() and port_file.read_text().count("\n")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise BrowserDidNotStart(program)
            time.sleep(POLL_S)
        port, path = port_file.read_text().splitlines()
        self.url = f"ws://127.0.0.1:{port}{path}"

    def close(self) -> None:
        """End the process and remove the profile."""
        self._process.terminate()
        self._process.wait(STOP_DEADLINE_S)
        shutil.rmtree(self._profile, ignore_errors=True)


def start(place: Path = PLACE) -> Chromium:
    """Start the first program that does; `place` is where a packaged browser would be. Raises `BrowserMissing`."""
    found = programs(place)
    for program in found:
        try:
            return Chromium(program)
        except BrowserDidNotStart:
            continue
    raise BrowserMissing(found)


def programs(place: Path) -> list[Path]:
    """The browsers of the machine, those on the PATH first, then the one in `place` if that is what is pinned now."""
    named = [Path(found) for found in map(shutil.which, NAMES) if found is not None]
    installed = [program for program in APPLICATIONS if program.exists()]
    packaged = [place / "chromium"] if is_current(place) else []
    return [*named, *installed, *packaged]


def is_current(place: Path) -> bool:
    """Whether the folder was made from the files in `PACKAGED` as they are now."""
    names = [path.name for path in PACKAGED.iterdir()]
    same, _, _ = filecmp.cmpfiles(PACKAGED, place, names, shallow=False)
    return len(same) == len(names)
