"""A headless Chromium that reaches nothing but this machine.

Debian's package `chromium` is enough; nothing is downloaded. It is driven over its own protocol, so a library that
brings a browser of its own would be more than is needed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from websockets.asyncio.client import connect

from tests.support.browser.devtools import DEADLINE_S, POLL_S
from tests.support.browser.page import Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
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


class BrowserMissing(Exception):
    """There is no Chromium; the message says what to install."""


class BrowserDidNotStart(Exception):
    """The process ended or did not open its port."""


class Browser:
    """One process with a profile of its own."""

    def __init__(self) -> None:
        found = next(filter(None, map(shutil.which, NAMES)), None)
        if found is None:
            raise BrowserMissing("Install Debian's package chromium, or any Chromium or Chrome on the PATH.")
        self._profile = Path(tempfile.mkdtemp(prefix="moorings-browser-"))
        self._process = subprocess.Popen(
            [found, *OPTIONS, f"--user-data-dir={self._profile}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"HOME": str(self._profile), "PATH": "/usr/bin:/bin"},
        )
        port_file, deadline = self._profile / "DevToolsActivePort", time.monotonic() + DEADLINE_S
        while not (port_file.exists() and port_file.read_text().count("\n")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise BrowserDidNotStart(found)
            time.sleep(POLL_S)
        port, path = port_file.read_text().splitlines()
        self._url = f"ws://127.0.0.1:{port}{path}"

    def close(self) -> None:
        """End the process and remove the profile."""
        self._process.terminate()
        self._process.wait(DEADLINE_S)
        shutil.rmtree(self._profile, ignore_errors=True)

    @asynccontextmanager
    async def page(self, *, width: int = 1280, height: int = 800, dark: bool = False) -> AsyncIterator[Page]:
        """An empty page in a context that shares nothing with others."""
        async with connect(self._url, max_size=None, compression=None) as socket:
            page = Page(socket)
            try:
                await page.begin(width, height, dark=dark)
                yield page
            finally:
                await page.end()
