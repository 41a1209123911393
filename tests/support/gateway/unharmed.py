"""What a well-behaved client and the memory of a gateway notice of an attack; the figures of a real process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.gateway.gateway import Gateway
from tests.support.stopwatch import Stopwatch

MEBIBYTE = 1_048_576
MAX_GROWTH_BYTES = 30 * MEBIBYTE
MAX_WAIT_S = 0.25
MAX_LONGEST_S = 5.0
AT_LEAST = 20
TIMES_ALONE = 5
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
Figure = Callable[[str], None]


def resident_bytes(gateway: Gateway) -> int:
    """The memory of its process."""
    return int(Path(f"/proc/{gateway.worker_pid}/statm").read_text().split()[1]) * PAGE_BYTES


@asynccontextmanager
async def unharmed(
    gateway: Gateway,
    request: bytes,
    figure: Figure,
    *,
    max_wait_s: float = MAX_WAIT_S,
    max_growth_bytes: int = MAX_GROWTH_BYTES,
    source: str = "127.0.9.1",
) -> AsyncIterator[None]:
    """Another client, who sends `request` on a new connection each time, gets 200 all along.

    99 % of its requests are answered within `max_wait_s`, or within `TIMES_ALONE` of what they took before the attack
    where the machine is slow, and each within `MAX_LONGEST_S`: a client that waits for one asks few. The time in which
    other processes of the machine had the processors does not count.
    The memory grows by less than `max_growth_bytes`, during the attack and afterwards. `request` has
    `Connection: close`. `source` is the client's address.
    """
    waits: list[float] = []
    is_over, worker = False, gateway.worker_pid

    async def ask_once() -> float:
        watch = Stopwatch(worker)
        reader, writer = await asyncio.open_connection(gateway.host, gateway.port, local_addr=(source, 0))
        writer.write(request)
        answer = await reader.read()
        took_s = watch.seconds
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
        return took_s

    async def ask() -> None:
        while not is_over:
            waits.append(await ask_once())

    alone_s = max([await ask_once() for _ in range(AT_LEAST)])
    before = resident_bytes(gateway)
    asking = asyncio.create_task(ask())
    try:
        yield
        grown = resident_bytes(gateway) - before
        async with asyncio.timeout(30):
            while len(waits) < AT_LEAST and not asking.done():  # noqa: ASYNC110 - an attack may be over before
                await asyncio.sleep(0.01)
    finally:
        is_over = True
        await asking
    waits.sort()
    slowest = waits[int(len(waits) * 0.99)]
    afterwards = resident_bytes(gateway) - before
    figure(
        f"another client's p99 {slowest * 1000:.0f} ms, at most {waits[-1] * 1000:.0f} ms, of {len(waits)} requests, "
        f"{alone_s * 1000:.0f} ms before; "
        f"memory {grown / MEBIBYTE:+.1f} MiB, afterwards {afterwards / MEBIBYTE:+.1f} MiB"
    )
    assert slowest < max(max_wait_s, TIMES_ALONE * alone_s)
    assert waits[-1] < MAX_LONGEST_S
    assert max(grown, afterwards) < max_growth_bytes
