"""Peers that hang instead of dying: their connections stay, and nothing comes over them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.support.databases.redis_server import RedisServer, redis_binary
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.unharmed import Figure
from tests.support.stopwatch import Stopwatch

LIST = "/api/backup-destinations"
AGAIN = "The rate limits are counted again"
HUNG_S = 20.0 if os.environ.get("MOORINGS_FULL") else 3.0
DEADLINE_S = 30.0
BINARY = redis_binary()

if BINARY is not None:
    server_binary = BINARY

    @pytest.fixture
    def redis() -> Iterator[RedisServer]:
        """A Redis that may be stopped."""
        server = RedisServer(server_binary).start()
        yield server
        server.send(signal.SIGCONT)
        server.stop()

    @pytest.fixture
    async def account(redis: RedisServer) -> AsyncIterator[Account]:
        """A user of a gateway that counts there."""
        gateway = Gateway(rate_limit="100000/hour", rate_limit_storage=redis.url).start()
        yield await gateway.new_user()
        gateway.close()

    async def test_a_redis_that_hangs_costs_a_request_half_a_second_at_most(
        redis: RedisServer, account: Account, figure: Figure
    ) -> None:
        """Then none: reads are served uncounted, failed log-ins refused, and the log has a line for each end."""
        worker = account.gateway.worker_pid
        async with account.client() as client:
            assert "X-RateLimit-Limit" in (await client.get(LIST)).headers
            redis.send(signal.SIGSTOP)
            seconds, until = [], time.monotonic() + HUNG_S
            while time.monotonic() < until:
                watch = Stopwatch(worker)
                served = await client.get(LIST)
                seconds.append(watch.seconds)
                assert served.status_code == httpx.codes.OK
                assert "X-RateLimit-Limit" not in served.headers
            wrong = {"Authorization": "Bearer 1|wrong"}
            assert (await client.get(LIST, headers=wrong)).status_code == httpx.codes.TOO_MANY_REQUESTS

            redis.send(signal.SIGCONT)
            async with asyncio.timeout(DEADLINE_S):
                while "X-RateLimit-Limit" not in (await client.get(LIST)).headers:  # noqa: ASYNC110 - asked
                    await asyncio.sleep(0.05)

        figure(f"hung for {HUNG_S} s: {len(seconds)} requests served, the slowest in {max(seconds):.2f} s")
        assert max(seconds) < 2.0
        assert sum(second > 0.4 for second in seconds) <= 2 + HUNG_S / 2, "the breaker is open between the tries"
        log = await account.gateway.logged(AGAIN)
        assert log.count("The rate limits cannot be counted: TimeoutError") == 1
        assert log.count(AGAIN) == 1
