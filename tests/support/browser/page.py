"""A page in the browser, and what a person does on it."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

from tests.support.browser.devtools import DEADLINE_S, POLL_S, DevTools, PageLeft

FRAME = "() => new Promise(requestAnimationFrame)"
AIM = """async find => {
  const frame = FRAME;
  const middle = element => {
    const {x, y, width, height} = element.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
  };
  const element = find();
  if (!element) return null;
  element.scrollIntoView({block: 'nearest'});
  const before = middle(element);
  await frame(); await frame();
  const now = middle(element);
  const rests = element.isConnected && String(now) === String(before);
  if (!rests || element.matches(':disabled') || !element.contains(document.elementFromPoint(...now))) return null;

  const types = ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click'];
  const seen = [];
  const guard = event => {
    if (event.composedPath().includes(element)) seen.push(event.type);
    else { event.preventDefault(); event.stopImmediatePropagation(); }
  };
  types.forEach(type => addEventListener(type, guard, true));
  globalThis.wasHit = () => {
    types.forEach(type => removeEventListener(type, guard, true));
    return seen.includes('click');
  };
  return now;
}""".replace("FRAME", FRAME)
"""A JavaScript function: the middle of an element if that is there, at rest for two frames, uncovered and enabled.

From then on until `wasHit()` is asked, the page gets no press of the mouse that is not on this element.
"""
QUIET = """document.getAnimations().every(
  ({playState, effect}) => playState !== 'running' || effect.getComputedTiming().endTime === Infinity
)"""
"""Whether nothing moves or fades, but for what does so for ever, as a cursor."""


class Page(DevTools):
    """A page in a context of its own."""

    _context = ""

    async def begin(self, width: int, height: int, *, dark: bool) -> None:
        """Make the page and listen to everything it says."""
        self._context = (await self.send("Target.createBrowserContext"))["browserContextId"]
        target = await self.send("Target.createTarget", url="about:blank", browserContextId=self._context)
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]
        await self.listen(self.session)
        await self.prefer(dark=dark)
        await self.send("Emulation.setFocusEmulationEnabled", enabled=True)
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def end(self) -> None:
        """Close the page and forget what it stored."""
        self.session = None
        if self._context:
            await self.send("Target.disposeBrowserContext", browserContextId=self._context)
        await self.close()

    async def prefer(self, *, dark: bool) -> None:
        """Prefer dark pages, or light ones, and wait until the page shows it."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])
        await self.until(f"matchMedia('(prefers-color-scheme: {scheme['value']})').matches")

    async def open(self, url: str) -> None:
        """Go to an address and wait until its document has loaded."""
        answer = await self.send("Page.navigate", url=url)
        assert "errorText" not in answer, answer["errorText"]
        await self.until(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        done = await self._evaluated(expression)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until an expression is true, here or on the page that follows, and return its value.

        One that raises is not true yet: what it looks at may not be there.
        """
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                done = await self._evaluated(expression)
            except PageLeft:
                done = {}
            if "exceptionDetails" not in done and (value := done.get("result", {}).get("value")):
                return value
            raised = done.get("exceptionDetails", "")
            assert time.monotonic() < deadline, f"never true: {expression} {raised}\n{await self.text()}"
            await asyncio.sleep(POLL_S)

    async def _evaluated(self, expression: str) -> dict[str, Any]:
        """What the browser says of an expression: its `result`, or the `exceptionDetails` too."""
        done: dict[str, Any] = await self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        return done

    async def settled(self) -> None:
        """Wait until what just changed has been drawn and nothing moves or fades any more."""
        await self.until(f"(async frame => {{ await frame(); await frame(); return {QUIET}; }})({FRAME})")

    async def text(self) -> str:
        """What the page shows."""
        return str(await self.evaluate("document.body.innerText"))

    async def click(self, element: str) -> None:
        """Click in the middle of the element that a JavaScript expression gives, once a person could.

        A page that moves between the look and the press would have it land elsewhere. Such a press is kept from the
        page, so that nothing has happened, and is aimed anew.
        """
        deadline, hit = time.monotonic() + DEADLINE_S, False
        while not hit:
            assert time.monotonic() < deadline, f"never hit: {element}"
            x, y = await self.until(f"({AIM})(() => {element})")
            for type_ in ("mousePressed", "mouseReleased"):
                await self.send("Input.dispatchMouseEvent", type=type_, x=x, y=y, button="left", clickCount=1)
            try:
                hit = await self.evaluate("globalThis.wasHit?.() ?? true") is not False
            except PageLeft:
                hit = True  # a link leads to a page without the function

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
