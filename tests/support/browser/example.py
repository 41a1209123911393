"""The built application of `examples/apollo`, served from an origin of its own, and what the tests do on its page."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.browser.node import install_packages, one_at_a_time, run_npm
from tests.support.browser.page import Page
from tests.support.gateway.gateway import Account
from tests.support.paths import ROOT

FOLDER = ROOT / "examples" / "apollo"
BUILT = FOLDER / "dist"
SCHEMA = (ROOT / "schema" / "schema.graphql", ROOT / "schema" / "possibleTypes.json")
ROWS = "[...document.querySelectorAll('li')]"


def build() -> None:
    """Build the application as its README says, unless the build is current."""
    install_packages(FOLDER)
    sources = [
        file
        for place in (FOLDER / "src", FOLDER)
        for file in place.iterdir()
        if file.is_file() and file.name != "README.md"
    ]
    found = hashlib.sha256()
    for path in sorted((*sources, *SCHEMA)):
        found.update(f"{path.name}\0".encode() + path.read_bytes())
    stamp = BUILT / ".built"
    with one_at_a_time():
        if not (stamp.is_file() and stamp.read_text() == found.hexdigest()):
            run_npm(FOLDER, "run", "build")
            stamp.write_text(found.hexdigest())


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve(port: int, directory: Path = BUILT) -> Iterator[str]:
    """The files of a directory on a port of 127.0.0.1; yields the origin."""
    with ThreadingHTTPServer(("127.0.0.1", port), partial(_Files, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.shutdown()
            thread.join()


async def sign_in(page: Page, origin: str, account: Account) -> None:
    """Open the page and give it the gateway's address and the token."""
    await page.open(f"{origin}/")
    await page.until("!!document.querySelector('form.sign-in')")
    await fill(page, url=account.gateway.url, token=account.token)
    await press(page, "Sign in")
    await page.until("!!document.querySelector('header p')")


async def fill(page: Page, **fields: str) -> None:
    """Put text into fields of the form, by their names."""
    for name, text in fields.items():
        await page.click(f"document.querySelector('[name={name}]')")
        await page.evaluate(f"document.querySelector('[name={name}]').select()")
        await page.press("Delete", 46)
        await page.type(text)
        await page.until(f"document.querySelector('[name={name}]').value === {json.dumps(text)}")


async def press(page: Page, name: str, *, row: str = "") -> None:
    """Press the button of that name, of the whole page or of the row with that label."""
    place = f"{ROWS}.find(row => row.querySelector('strong').innerText === {json.dumps(row)})" if row else "document"
    await page.click(f"[...({place}?.querySelectorAll('button') ?? [])].find(b => b.innerText === {json.dumps(name)})")


async def scroll(page: Page) -> None:
    """Go to the end of what is shown."""
    await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")


def operations(page: Page, name: str) -> int:
    """How often the page has sent the operation of that name over HTTP."""
    return sum(json.loads(body).get("operationName") == name for body in page.bodies)
