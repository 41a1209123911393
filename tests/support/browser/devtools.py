"""The DevTools protocol: commands to a page, and what it tells of its requests and of what went wrong in it."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection

DEADLINE_S = 60
"""For whatever is waited for: many times what it takes, for the machine may have much else to do."""
POLL_S = 0.03
_LEFT = ("Execution context was destroyed", "Cannot find context", "Cannot find default execution context", "navigated")


class Refused(Exception):
    """The browser refuses a command; the message is what it says."""


class PageLeft(Refused):
    """The document a command was for is no longer there: the page is on its way to another."""


class DevTools:
    """One connection with a session in it. The protocol is messages of JSON on a WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.session: str | None = None
        self.requests: list[str] = []
        self.bodies: list[str] = []
        """What was sent with requests that have a body."""
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._faults: list[str] = []
        self._expected: list[str] = []
        self._tasks: set[asyncio.Task[None]] = {asyncio.create_task(self._read())}

    @property
    def faults(self) -> list[str]:
        """Failed and refused requests, violated policies, uncaught errors; not those that were expected."""
        return [fault for fault in self._faults if not any(part in fault for part in self._expected)]

    async def send(self, method: str, session: str | None = None, /, **params: Any) -> dict[str, Any]:
        """Give a command and wait for its answer; raises `Refused`."""
        id_ = len(self._answers) + 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[id_] = answer
        message = {"id": id_, "method": method, "params": params}
        if session or self.session:
            message["sessionId"] = session or self.session
        await self._socket.send(json.dumps(message))
        async with asyncio.timeout(DEADLINE_S):
            return await answer

    async def expect(self, part: str) -> str:
        """Wait for a fault that says this, and count none that says it: they come when the browser gets to it."""
        deadline = time.monotonic() + DEADLINE_S
        while not (found := [fault for fault in self._faults if part in fault]):
            assert time.monotonic() < deadline, f"not among the faults: {part}\n{self._faults}"
            await asyncio.sleep(POLL_S)
        self._expected.append(part)
        return found[0]

    async def listen(self, session: str) -> None:
        """Subscribe to everything that a page, or a worker of it, does."""
        for domain in ("Network", "Runtime", "Log", "Audits", "Page"):
            with suppress(Refused):  # a worker has not all of them
                await self.send(f"{domain}.enable", session)
        with suppress(Refused):
            await self.send(
                "Target.setAutoAttach", session, autoAttach=True, waitForDebuggerOnStart=False, flatten=True
            )

    async def close(self) -> None:
        """Stop reading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hosts(self) -> set[str]:
        """Where its requests went; what a page carries in itself (data:, blob:) goes nowhere."""
        return {urlsplit(url).netloc for url in self.requests if not url.startswith(("data:", "blob:", "about:"))}

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if "id" not in message:
                self._note(message["method"], message["params"])
            elif not (answer := self._answers[message["id"]]).done():  # its caller may have been cancelled
                if "error" in message:
                    said = message["error"]["message"]
                    answer.set_exception((PageLeft if any(part in said for part in _LEFT) else Refused)(said))
                else:
                    answer.set_result(message["result"])

    def _note(self, event: str, said: dict[str, Any]) -> None:
        match event:
            case "Target.attachedToTarget" if said["sessionId"] != self.session and self.session:
                self._tasks.add(asyncio.create_task(self.listen(said["sessionId"])))
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])
                self.bodies += filter(None, [said["request"].get("postData")])
            case "Network.webSocketCreated":
                self.requests.append(said["url"])
            case "Network.responseReceived" if said["response"]["status"] >= 400:
                self._faults.append(f"{said['response']['status']} {said['response']['url']}")
            case "Network.loadingFailed" if not said.get("canceled"):
                self._faults.append(f"failed: {said['errorText']} {said.get('blockedReason', '')}")
            case "Runtime.exceptionThrown":
                details = said["exceptionDetails"]
                self._faults.append(f"uncaught: {details.get('exception', {}).get('description') or details['text']}")
            case "Log.entryAdded" if said["entry"]["level"] == "error":
                self._faults.append(f"{said['entry']['source']}: {said['entry']['text']}")
            case "Runtime.consoleAPICalled" if said["type"] == "error":
                parts = [part.get("value") or part.get("description") for part in said["args"]]
                self._faults.append(f"console: {parts}")
            case "Audits.issueAdded" if said["issue"]["code"] == "ContentSecurityPolicyIssue":
                self._faults.append(f"policy: {json.dumps(said['issue']['details'])}")
