"""The events and queues of a connection behave as those of the standard library that they stand in for."""

from __future__ import annotations

import asyncio

from web.server.light_event import LightEvent, ShortQueue


async def test_all_that_wait_go_on_when_the_event_is_set_and_one_that_was_cancelled_does_not_matter() -> None:
    """As `asyncio.Event`."""
    event = LightEvent()
    waiting = [asyncio.create_task(event.wait()) for _ in range(3)]
    await asyncio.sleep(0)

    waiting[1].cancel()
    event.set()

    assert await asyncio.gather(*waiting, return_exceptions=True) != []
    assert [task.cancelled() for task in waiting] == [False, True, False]
    assert event.is_set()
    assert await event.wait()


async def test_a_cleared_event_is_waited_for_again() -> None:
    """And one may be made set."""
    event = LightEvent(is_set=True)
    assert await event.wait()

    event.clear()
    waiting = asyncio.create_task(event.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert not event.is_set()

    event.set()
    assert await waiting


def test_a_queue_is_taken_from_at_either_end() -> None:
    """What comes goes in on the left, what waits longest leaves on the right."""
    queue: ShortQueue[int] = ShortQueue()
    for number in range(4):
        queue.appendleft(number)

    assert [queue.pop(), queue.popleft(), queue.pop()] == [0, 3, 1]
    assert queue == [2]
