"""The machine's resolver runs in a limited number of threads, which block nothing else."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckStepName
from s3.resolver import SystemResolver
from tests.support.stores.probing import failure, prober, target

MANY = 40
"""More than the event loop has threads on a small machine."""


class _Hanging:
    """A name server that does not respond, and the names it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.was_asked_often = threading.Event()
        self.answers = threading.Event()

    def getaddrinfo(self, host: str, *_: Any, **__: Any) -> list[Any]:
        self.asked.append(host)
        if len(self.asked) == MANY:
            self.was_asked_often.set()
        self.answers.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "hunter22")


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Hanging]:
    """In place of the machine's name servers."""
    server = _Hanging()
    monkeypatch.setattr(socket, "getaddrinfo", server.getaddrinfo)
    yield server
    server.answers.set()


async def test_a_literal_and_this_machines_name_resolve() -> None:
    resolver = SystemResolver()

    assert await resolver.resolve("127.0.0.1") == ["127.0.0.1"]
    assert set(await resolver.resolve("localhost")) <= {"127.0.0.1", "::1"}
    assert await resolver.resolve("0x7f.1") == ["127.0.0.1"]


async def test_a_name_that_cannot_be_one_is_an_error_of_the_resolver() -> None:
    with pytest.raises((OSError, UnicodeError)):
        await SystemResolver().resolve("a" * 64)


async def test_a_name_server_that_hangs_ends_the_check_in_time_and_takes_only_so_many_threads(
    hanging: _Hanging,
) -> None:
    checks = prober(resolver=SystemResolver(lookups=3), deadline_s=0.3)

    reports = await asyncio.gather(*(checks.probe(target(f"http://s{n}.example"), CheckDepth.FULL) for n in range(10)))

    assert {failure(report) for report in reports} == {(CheckStepName.RESOLVE, CheckCode.TIMEOUT)}
    assert len(hanging.asked) == 3


async def test_an_abandoned_look_up_holds_its_place_until_it_ends(hanging: _Hanging) -> None:
    resolver = SystemResolver(lookups=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await resolver.resolve("slow.example")
    following = asyncio.create_task(resolver.resolve("next.example"))
    await asyncio.sleep(0)
    assert hanging.asked == ["slow.example"]

    hanging.answers.set()

    with pytest.raises(OSError, match="hunter22"):
        await following
    assert hanging.asked == ["slow.example", "next.example"]


async def test_the_event_loops_own_threads_stay_free_while_name_servers_hang(hanging: _Hanging) -> None:
    resolver = SystemResolver(lookups=MANY)
    waiting = [asyncio.create_task(resolver.resolve(f"s{n}.example")) for n in range(MANY)]

    assert await asyncio.to_thread(hanging.was_asked_often.wait, 10)

    for task in waiting:
        task.cancel()
    # A process that ends waits for no thread of this kind.
    assert {thread.daemon for thread in threading.enumerate() if thread.name == "look-up"} == {True}
