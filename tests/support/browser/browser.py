"""A headless Chromium that reaches nothing but this machine.

It is driven over its own protocol, so a library that brings a browser of its own would be more than is needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import connect

from tests.support.browser import chromium
from tests.support.browser.page import Page


class Browser:
    """One process with a profile of its own."""

    def __init__(self) -> None:
        """Start it; raises `chromium.BrowserMissing`."""
        self._chromium = chromium.start()

    def close(self) -> None:
        """End the process and remove the profile."""
        self._chromium.close()

    @asynccontextmanager
    async def page(self, *, width: int = 1280, height: int = 800, dark: bool = False) -> AsyncIterator[Page]:
        """An empty page in a context that shares nothing with others."""
        async with connect(self._chromium.url, max_size=None, compression=None) as socket:
            page = Page(socket)
            try:
                await page.begin(width, height, dark=dark)
                yield page
            finally:
                await page.end()
