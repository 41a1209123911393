"""Lookups that wait together become one statement; none is older than whoever asked, and none is spoilt by another."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest

from models import batcher as batching
from models.batcher import MAX_KEYS, Batcher
from models.errors import DatabaseUnavailable

DEADLINE_S = 60.0
HELD_BACK_S = 3_600.0
"""No statement is slow in these tests, however busy the machine is, unless the test says so."""


@pytest.fixture(autouse=True)
def nothing_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement keeps the next one back until it is let go."""
    monkeypatch.setattr(batching, "SLOW_S", HELD_BACK_S)


class Database:
    """Runs statements as the test wants: each reads when it is sent, and answers when it is let go."""

    def __init__(self, read: Callable[[str], Any] = str.upper) -> None:
        """`read` is what it holds for a key; what that raises, the whole statement raises."""
        self.sent: list[list[str]] = []
        self.batcher = Batcher[str, Any](self._fetch)
        self._read = read
        self._gates: list[asyncio.Event] = []
        self._changed = asyncio.Condition()

    async def has_sent(self, count: int) -> None:
        """Wait until so many statements were sent."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(lambda: len(self.sent) >= count)

    def let_go(self, *numbers: int) -> None:
        """Let these statements answer, all so far unless told which."""
        for number in numbers or range(len(self._gates)):
            self._gates[number].set()

    async def let_all_go(self, *askers: asyncio.Future[Any]) -> list[Any]:
        """Let every statement answer, also those that are still to come, until everybody has an answer."""
        waiting = asyncio.gather(*askers, return_exceptions=True)
        async with asyncio.timeout(DEADLINE_S):
            while not waiting.done():
                self.let_go()
                await asyncio.sleep(0)
        return await waiting

    async def _fetch(self, keys: Collection[str]) -> Mapping[str, Any]:
        gate = asyncio.Event()
        self._gates.append(gate)
        self.sent.append(sorted(keys))
        async with self._changed:
            self._changed.notify_all()
        found = {key: self._read(key) for key in keys if key != "missing"}
        await gate.wait()
        return found


async def test_all_that_ask_while_a_statement_is_under_way_share_the_next_one() -> None:
    """A thousand askers, two statements."""
    database = Database()

    first = [asyncio.create_task(_ask(database, f"k{n % 20}")) for n in range(400)]
    await database.has_sent(1)
    second = [asyncio.create_task(_ask(database, f"k{n % 50}")) for n in range(600)]
    answers = await database.let_all_go(*first, *second)

    assert answers == [f"K{n % 20}" for n in range(400)] + [f"K{n % 50}" for n in range(600)]
    assert [len(keys) for keys in database.sent] == [20, 50]
    assert (database.batcher.requests, database.batcher.statements) == (1_000, 2)


async def test_a_key_that_finds_nothing_is_none() -> None:
    """For everybody who asked for it."""
    database = Database()
    assert await database.let_all_go(*map(database.batcher.load, ("missing", "a", "missing"))) == [None, "A", None]
    assert database.sent == [["a", "missing"]]


async def test_nobody_joins_a_statement_that_was_sent_before_they_asked() -> None:
    """What was written after it was sent is seen by whoever asks after that."""
    stored = {"a": "old"}
    database = Database(lambda key: stored[key])

    early = database.batcher.load("a")
    await database.has_sent(1)
    stored["a"] = "new"
    late = database.batcher.load("a")
    answers = await database.let_all_go(early, late)

    assert answers == ["old", "new"]
    assert database.sent == [["a"], ["a"]]


async def test_a_statement_keeps_the_next_one_back_until_it_has_answered() -> None:
    """That is how the next one becomes large; the first one's askers are answered by then."""
    database = Database()

    first = database.batcher.load("a")
    await database.has_sent(1)
    others = [database.batcher.load(key) for key in "bcd"]
    await _some_turns()
    assert database.sent == [["a"]]
    database.let_go(0)
    await database.has_sent(2)

    assert first.result() == "A"
    assert database.sent == [["a"], ["b", "c", "d"]]
    await database.let_all_go(*others)


async def test_a_slow_statement_does_not_keep_the_next_one_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """They overtake it, and it still answers its own."""
    monkeypatch.setattr(batching, "SLOW_S", 0.001)
    database = Database()

    slow = database.batcher.load("slow")
    await database.has_sent(1)
    others = []
    for number, key in enumerate("abc", start=1):
        others.append(database.batcher.load(key))
        await database.has_sent(number + 1)
        database.let_go(number)
        async with asyncio.timeout(DEADLINE_S):
            assert await others[-1] == key.upper()

    assert not slow.done()
    assert await database.let_all_go(slow) == ["SLOW"]


async def test_a_statement_that_takes_no_longer_than_most_keeps_the_next_one_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a busy process all take longer, and more of them at the same time would take longer still."""
    monkeypatch.setattr(batching, "SLOW_S", 0.001)
    monkeypatch.setattr(batching, "SLOW_FACTOR", 1e12)
    monkeypatch.setattr(batching, "MAX_SLOW_S", HELD_BACK_S)
    database = Database()
    first = database.batcher.load("first")
    await database.has_sent(1)
    await asyncio.sleep(0.002)
    assert await database.let_all_go(first) == ["FIRST"]

    usual = database.batcher.load("usual")
    await database.has_sent(2)
    others = [database.batcher.load(key) for key in "ab"]
    await asyncio.sleep(0.01)
    assert database.sent[1:] == [["usual"]]

    assert await database.let_all_go(usual, *others) == ["USUAL", "A", "B"]
    assert database.sent[1:] == [["usual"], ["a", "b"]]


async def test_a_key_that_spoils_its_statement_fails_alone() -> None:
    """Each key is tried once more by itself, and only those who asked for the bad one are told."""
    database = Database(_unless_bad)
    asked = [database.batcher.load(key) for key in ("a", "bad", "b", "bad", "a")]

    answers = await database.let_all_go(*asked)

    assert answers[::2] == ["A", "B", "A"]
    assert [type(answer) for answer in answers[1::2]] == [ValueError, ValueError]
    assert database.sent == [["a", "b", "bad"], ["a"], ["bad"], ["b"]]
    assert await database.let_all_go(database.batcher.load("a")) == ["A"]


async def test_a_database_that_is_away_is_told_to_all_at_once() -> None:
    """Nobody is tried again; the next to ask are asked for anew."""
    is_away = True

    def read(key: str) -> str:
        if is_away:
            raise DatabaseUnavailable
        return key

    database = Database(read)
    answers = await database.let_all_go(*(database.batcher.load(key) for key in "abcab"))

    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 5
    assert database.sent == [["a", "b", "c"]]
    is_away = False
    assert await database.let_all_go(database.batcher.load("a")) == ["a"]


async def test_whoever_stops_waiting_disturbs_nobody() -> None:
    """Neither for the same key nor for another, in the statement that is under way or in the next one."""
    database = Database()
    asked = [asyncio.create_task(_ask(database, key)) for key in "aab"]
    await database.has_sent(1)
    waiting = [asyncio.create_task(_ask(database, key)) for key in "ccd"]
    await asyncio.sleep(0)

    asked[0].cancel()
    waiting[0].cancel()
    answers = await database.let_all_go(*asked, *waiting)

    assert [answers[n] for n in (1, 2, 4, 5)] == ["A", "B", "C", "D"]
    assert [type(answers[n]) for n in (0, 3)] == [asyncio.CancelledError] * 2
    assert database.sent == [["a", "b"], ["c", "d"]]


async def test_what_nobody_waits_for_any_more_is_not_asked() -> None:
    """Whether the others go on waiting, or nobody does."""
    database = Database()
    database.batcher.load("gone").cancel()
    assert await database.let_all_go(database.batcher.load("stays")) == ["STAYS"]
    database.batcher.load("gone too").cancel()
    await _some_turns()
    assert await database.let_all_go(database.batcher.load("later")) == ["LATER"]

    assert database.sent == [["stays"], ["later"]]


async def test_a_statement_is_for_so_many_keys_at_most() -> None:
    """The others are the next one's."""
    database = Database()
    keys = [f"k{number:03}" for number in range(2 * MAX_KEYS + 5)]
    answers = await database.let_all_go(*(database.batcher.load(key) for key in keys))

    assert answers == [key.upper() for key in keys]
    assert [len(sent) for sent in database.sent] == [MAX_KEYS, MAX_KEYS, 5]
    assert sorted(key for sent in database.sent for key in sent) == keys


def test_the_end_of_the_loop_leaves_nobody_waiting_and_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever is in a statement or waits for the next one is cancelled, and no statement is begun any more."""
    ended: list[type] = []

    async def wait(database: Database, key: str) -> None:
        try:
            await database.batcher.load(key)
        finally:
            ended.append(type(sys.exc_info()[1]))

    async def serve() -> Database:
        database = Database()
        tasks = [asyncio.create_task(wait(database, "a"))]
        await database.has_sent(1)
        tasks += [asyncio.create_task(wait(database, key)) for key in "bb"]
        await asyncio.sleep(0)
        return database

    with caplog.at_level(logging.WARNING, logger="asyncio"):
        database = asyncio.run(serve())

    assert ended == [asyncio.CancelledError] * 3
    assert database.sent == [["a"]]
    assert caplog.messages == []


async def _some_turns() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


async def _ask(database: Database, key: str) -> Any:
    return await database.batcher.load(key)


def _unless_bad(key: str) -> str:
    if key == "bad":
        raise ValueError(key)
    return key.upper()
