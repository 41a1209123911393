"""A disk whose fsync takes seconds: reads never wait for it, writes succeed or are 503 in time, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.support.databases.slow_fsync import SlowFsync, slow_fsyncs
from tests.support.databases.stoppable_postgres import own_postgres
from tests.support.figures import FULL, amount
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.writers import reads_of, writing

DELAYS_S = (0.5, 2.0, 8.0) if FULL else (2.0,)
"""Of each fsync, one after the other."""
SLOW_S = amount(1, 20)
"""How long each delay lasts."""
READ_WITHIN_S = 1.0
WRITE_WITHIN_S = 15.0
LABELS = "SELECT label FROM backup_destinations"


@pytest.fixture(params=["sqlite", "postgresql"])
def slow(request: pytest.FixtureRequest) -> Iterator[tuple[Gateway, SlowFsync]]:
    """A gateway, and the disk of its database."""
    with slow_fsyncs() as disk, ExitStack() as stack:
        if request.param == "sqlite":
            gateway = disk.start(partial(Gateway(log_level="WARNING").start, inherits=True))
        else:
            server = disk.start(lambda: stack.enter_context(own_postgres(fsync="on")))
            server.create_database("slow")
            gateway = Gateway(server.url("slow"), log_level="WARNING").start()
        stack.callback(gateway.close)
        yield gateway, disk


async def test_reads_do_not_wait_for_a_slow_fsync_and_no_write_is_lost_to_it(
    slow: tuple[Gateway, SlowFsync], figure: Callable[[str], None]
) -> None:
    """The writer's own reads and another user's, beside eight writers and a subscriber."""
    gateway, disk = slow
    other = await gateway.new_user()
    for delay_s in DELAYS_S:
        writer = await gateway.new_user()
        async with writing(writer) as written:
            disk.delayed, disk.delay_s = 0, delay_s
            own, others = await asyncio.gather(reads_of(writer, SLOW_S), reads_of(other, SLOW_S))
            delayed, disk.delay_s = disk.delayed, 0.0
        written.expect_once_each(await gateway.rows(f"{LABELS} WHERE user_id = {writer.user_id}"))
        figure(
            f"{gateway.engine}: {delayed} times {delay_s} s for an fsync: slowest read {max(own + others):.2f} s of "
            f"{len(own + others)}; {len(written.ids)} acknowledged writes, none lost, none doubled, "
            f"{written.statuses[503]} times 503, longest answer {written.longest_s:.1f} s"
        )
        assert delayed > 0
        assert max(own + others) < READ_WITHIN_S
        assert written.lost_connections == 0
        assert written.longest_s < WRITE_WITHIN_S
