"""A headless Chromium that reaches nothing but this machine, driven over the DevTools protocol, and its open pages.

Debian's package `chromium` is enough; nothing is downloaded. The protocol is messages of JSON on one WebSocket, so a
library that brings a browser of its own would be more than is needed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
START_DEADLINE_S = 30
DEADLINE_S = 20
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


_WHERE_IT_RESTS = """async find => {
  for (let before = null; ;) {
    const element = find();
    element.scrollIntoView({block: 'nearest'});
    const {x, y, width, height} = element.getBoundingClientRect();
    const middle = [x + width / 2, y + height / 2];
    if (String(middle) === String(before) && element.contains(document.elementFromPoint(...middle))) return middle;
    before = middle;
    await new Promise(requestAnimationFrame);
  }
}"""
"""A JavaScript function: the middle of an element once it neither moves nor is covered."""


class BrowserMissing(Exception):
    """There is no Chromium; the message says what to install."""


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
        port_file, deadline = self._profile / "DevToolsActivePort", time.monotonic() + START_DEADLINE_S
        while not (port_file.exists() and port_file.read_text().count("\n")):
            assert self._process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
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


class Page:
    """A page, and what went wrong in it: failed requests, foreign requests, violated policies, uncaught errors."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._session: str | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())
        self._tasks: set[asyncio.Task[Any]] = set()
        self._context = ""
        self.requests: list[str] = []
        self.faults: list[str] = []

    async def begin(self, width: int, height: int, *, dark: bool) -> None:
        """Make the page and listen to everything it says."""
        self._context = (await self.send("Target.createBrowserContext"))["browserContextId"]
        target = await self.send("Target.createTarget", url="about:blank", browserContextId=self._context)
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        await self._listen(self._session)
        await self.prefer(dark=dark)
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def end(self) -> None:
        """Close the page and forget what it stored."""
        self._session = None
        await self.send("Target.disposeBrowserContext", browserContextId=self._context)
        self._reader.cancel()
        with suppress(asyncio.CancelledError):
            await self._reader

    async def send(self, method: str, session: str | None = None, /, **params: Any) -> dict[str, Any]:
        """Give the browser a command and wait for its answer."""
        id_ = len(self._answers) + 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[id_] = answer
        message = {"id": id_, "method": method, "params": params}
        if session or self._session:
            message["sessionId"] = session or self._session
        await self._socket.send(json.dumps(message))
        async with asyncio.timeout(DEADLINE_S):
            return await answer

    async def prefer(self, *, dark: bool) -> None:
        """Be somebody who likes dark pages, or light ones."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def open(self, url: str, *, fails: bool = False) -> None:
        """Go to an address and wait until its document has loaded, unless that is to fail."""
        await self.send("Page.navigate", url=url)
        if fails:
            return
        await self.until(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        done = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until an expression is true and return its value."""
        deadline = time.monotonic() + DEADLINE_S
        while not (value := await self.evaluate(expression)):
            assert time.monotonic() < deadline, f"never true: {expression}\n{await self.text()}"
            await asyncio.sleep(0.03)
        return value

    async def text(self) -> str:
        """What the page shows."""
        return str(await self.evaluate("document.body.innerText"))

    async def click(self, element: str) -> None:
        """Click in the middle of the element that a JavaScript expression gives, once it is there."""
        await self.until(f"!!({element})")
        x, y = await self.evaluate(f"({_WHERE_IT_RESTS})(() => {element})")
        for type_ in ("mousePressed", "mouseReleased"):
            await self.send("Input.dispatchMouseEvent", type=type_, x=x, y=y, button="left", clickCount=1)

    async def type(self, text: str) -> None:
        """Put text where the focus is, as a paste or a keyboard does."""
        await self.send("Input.insertText", text=text)

    async def press(self, key: str, code: int, *, text: str = "", control: bool = False) -> None:
        """Press and release a key; `code` is its Windows virtual key code, `text` what it types."""
        for type_ in ("keyDown" if text else "rawKeyDown", "keyUp"):
            said: dict[str, Any] = {"text": text} if type_ == "keyDown" else {}
            said |= {"type": type_, "key": key, "code": key, "windowsVirtualKeyCode": code}
            await self.send("Input.dispatchKeyEvent", **said, modifiers=2 if control else 0)

    async def screenshot(self) -> bytes:
        """What is visible, as a PNG."""
        return base64.b64decode((await self.send("Page.captureScreenshot", format="png"))["data"])

    async def _listen(self, session: str) -> None:
        for domain in ("Network", "Runtime", "Log", "Audits", "Page"):
            with suppress(RuntimeError):  # a worker has not all of them
                await self.send(f"{domain}.enable", session)
        await self.send("Target.setAutoAttach", session, autoAttach=True, waitForDebuggerOnStart=False, flatten=True)

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                future = self._answers[message["id"]]
                if "error" in message:
                    future.set_exception(RuntimeError(message["error"]["message"]))
                else:
                    future.set_result(message["result"])
            else:
                self._note(message["method"], message["params"])

    def _note(self, event: str, said: dict[str, Any]) -> None:
        match event:
            case "Target.attachedToTarget" if said["sessionId"] != self._session and self._session:
                task = asyncio.create_task(self._listen(said["sessionId"]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(said["url"])
            case "Network.responseReceived" if said["response"]["status"] >= 400:
                self.faults.append(f"{said['response']['status']} {said['response']['url']}")
            case "Network.loadingFailed" if not said.get("canceled"):
                self.faults.append(f"failed: {said['errorText']} {said.get('blockedReason', '')}")
            case "Runtime.exceptionThrown":
                details = said["exceptionDetails"]
                self.faults.append(f"uncaught: {details.get('exception', {}).get('description') or details['text']}")
            case "Log.entryAdded" if said["entry"]["level"] == "error":
                self.faults.append(f"{said['entry']['source']}: {said['entry']['text']}")
            case "Runtime.consoleAPICalled" if said["type"] == "error":
                self.faults.append(
                    f"console: {[part.get('value') or part.get('description') for part in said['args']]}"
                )
            case "Audits.issueAdded" if said["issue"]["code"] == "ContentSecurityPolicyIssue":
                self.faults.append(f"policy: {json.dumps(said['issue']['details'])}")

    def hosts(self) -> set[str]:
        """Where its requests went; what a page carries in itself (data:, blob:) goes nowhere."""
        return {urlsplit(url).netloc for url in self.requests if not url.startswith(("data:", "blob:", "about:"))}
