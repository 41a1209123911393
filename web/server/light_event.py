"""What each connection has one or two of, for a tenth of the memory of what uvicorn makes.

A `deque` takes 0.7 kB even if it is empty, and so does an `asyncio.Event`, which has one.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

Item = TypeVar("Item")


class LightEvent:
    """Does what an `asyncio.Event` does."""

    __slots__ = ("_is_set", "_waiting")

    def __init__(self, *, is_set: bool = False) -> None:
        self._is_set = is_set
        self._waiting: list[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        """Whether `wait` returns at once."""
        return self._is_set

    def set(self) -> None:
        """Let all go on that wait, and those that wait later."""
        self._is_set = True
        for future in self._waiting or ():
            if not future.done():
                future.set_result(None)

    def clear(self) -> None:
        """Let those wait that do so from now on."""
        self._is_set = False

    async def wait(self) -> bool:
        """Wait until it is set; True, as `asyncio.Event` returns."""
        if self._is_set:
            return True
        future = asyncio.get_running_loop().create_future()
        if self._waiting is None:
            self._waiting = []
        self._waiting.append(future)
        try:
            await future
        finally:
            self._waiting.remove(future)
            if not self._waiting:
                self._waiting = None
        return True


class ShortQueue(list[Item]):
    """Does what the protocol asks of a `deque`, for the few requests that may wait on one connection."""

    __slots__ = ()

    def appendleft(self, item: Item) -> None:
        """Put an item in front."""
        self.insert(0, item)

    def popleft(self) -> Item:
        """Take the item in front."""
        return self.pop(0)


class LightQueue:
    """Does what uvicorn's protocol of WebSockets asks of an `asyncio.Queue`; one task takes from it."""

    __slots__ = ("_getting", "_messages")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._getting: asyncio.Future[None] | None = None

    def empty(self) -> bool:
        """Whether `get` would wait."""
        return not self._messages

    def put_nowait(self, message: Any) -> None:
        """Put a message behind the others."""
        self._messages.append(message)
        if self._getting is not None and not self._getting.done():
            self._getting.set_result(None)

    async def get(self) -> Any:
        """Take the first message, as soon as there is one."""
        while not self._messages:
            self._getting = asyncio.get_running_loop().create_future()
            try:
                await self._getting
            finally:
                self._getting = None
        return self._messages.pop(0)
