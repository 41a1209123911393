"""Hostile servers take little of the process's time, which is that of its event loop.

How long other requests wait on a machine that does much else besides says more of that machine. What is measured is the
processor's time in the thread of the checks: what other requests have to wait for on an idle machine.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from models.checks.report import CheckCode, CheckDepth
from tests.support.stores.hostile_peers import STREAMS
from tests.support.stores.peers import Script, listening
from tests.support.stores.probing import failure, prober, target

AT_ONCE = 20
DEADLINE_S, AMPLE_S = 1.0, 10.0
LONGEST_STEP_S = 0.03
"""Six times as long as the longest there is; a page of 300 MB that is read to its end is at work for seconds."""
CHECK_S = 0.04


@contextmanager
def aside(script: Script) -> Iterator[str]:
    """The URL of a peer in a thread of its own, whose work is not counted."""
    url = Future[str]()
    over = threading.Event()

    async def serve() -> None:
        async with listening(script) as peer:
            url.set_result(peer.url)
            await asyncio.to_thread(over.wait)

    with ThreadPoolExecutor(1) as thread:
        serving = thread.submit(lambda: asyncio.run(serve()))
        try:
            yield url.result(10)
        finally:
            over.set()
        serving.result()


@pytest.fixture
def steps_s(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The processor's time of every step of this thread's event loop, other than for collecting garbage."""
    steps: list[float] = []
    this, run = threading.current_thread(), asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        started = time.thread_time()
        run(handle)
        if threading.current_thread() is this:
            steps.append(time.thread_time() - started)

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    gc.disable()
    yield steps
    gc.enable()


@pytest.mark.parametrize("name", STREAMS)
async def test_twenty_hostile_servers_at_once_delay_no_request(name: str, steps_s: list[float]) -> None:
    """Neither all in all, nor with one long step."""
    script, expected = STREAMS[name]
    with aside(script) as url:
        # Only where it is waited for in vain is the time short: a busy machine needs some for the rest.
        checks = prober(deadline_s=DEADLINE_S if expected[1] is CheckCode.TIMEOUT else AMPLE_S)
        await checks.probe(target(url), CheckDepth.FULL)
        steps_s.clear()
        reports = await asyncio.gather(*(checks.probe(target(url), CheckDepth.FULL) for _ in range(AT_ONCE)))
        burden_s, longest_s = sum(steps_s), max(steps_s)

    assert {failure(report) for report in reports} == {expected}
    assert longest_s < LONGEST_STEP_S
    assert burden_s < CHECK_S * AT_ONCE
