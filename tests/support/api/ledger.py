"""What the users of a consistency test have written, and what a read may therefore show: nothing older, nothing newer.

Every fact about a user is a number that only rises: what a label says, how many destinations were made. A write notes
what it starts and what was acknowledged; whatever was done before a request was sent, its answer has to show.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.support.gateway.gateway import Account

SPARES = 12
"""Destinations a user has at the beginning, to be removed and moved, besides the two whose labels are counted."""


@dataclass(kw_only=True, slots=True)
class Person:
    """A user and what is known about that user's data."""

    account: Account
    own: int
    """The id of the destination whose label is changed alone."""
    bulk: int
    """The id of the destination whose label is changed together with all others'."""
    spares: list[int]
    started: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    done: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def least(self, done: Mapping[str, int]) -> dict[str, int]:
        """The least that an answer may show when `done` was done before it was asked for."""
        facts = {fact: done.get(fact, 0) for fact in ("own", "bulk", "name")}
        return facts | {"total": 2 + SPARES + done.get("made", 0) - self.started["gone"]}

    def most(self, done: Mapping[str, int]) -> dict[str, int]:
        """The most that an answer may show which has come now."""
        facts = {fact: self.started[fact] for fact in ("own", "bulk", "name")}
        return facts | {"total": 2 + SPARES + self.started["made"] - done.get("gone", 0)}


@asynccontextmanager
async def writing(people: Iterable[Person], fact: str, by: int = 1) -> AsyncIterator[None]:
    """Note that a fact of these people rises, around the write that makes it so; one write of a person at a time."""
    async with AsyncExitStack() as stack:
        chosen = list(people)
        for person in chosen:
            await stack.enter_async_context(person.lock)
            person.started[fact] += by
        yield
        for person in chosen:
            person.done[fact] += by
