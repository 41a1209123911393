"""The rate limits counted in Redis: exactly, over all workers, and what happens while it is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.support.databases.redis_server import RedisServer, redis_binary
from tests.support.gateway.gateway import Gateway
from tests.support.ports import free_port

LIMIT = 20
DEADLINE_S = 20
BINARY = redis_binary()

if BINARY is not None:
    server_binary = BINARY

    @pytest.fixture
    def redis() -> Iterator[RedisServer]:
        server = RedisServer(server_binary).start()
        yield server
        server.stop()

    async def test_several_workers_count_together_in_redis(redis: RedisServer) -> None:
        gateway = Gateway(workers=3, rate_limit=f"{LIMIT}/hour", rate_limit_storage=redis.url).start()
        try:
            until = time.monotonic() + DEADLINE_S
            while True:
                account = await gateway.new_user()
                async with account.client() as client:
                    answers = await asyncio.gather(*(client.get("/api/backup-destinations") for _ in range(2 * LIMIT)))
                # Some are not counted while the machine is so busy that Redis does not answer in time.
                if all("X-RateLimit-Limit" in answer.headers for answer in answers) or time.monotonic() > until:
                    break

            statuses = [answer.status_code for answer in answers]
            assert sorted(statuses) == [200] * LIMIT + [429] * LIMIT
            left = {int(a.headers["X-RateLimit-Remaining"]) for a in answers if a.status_code == 200}
            assert min(left) == 0
        finally:
            gateway.close()


async def test_while_redis_is_away_requests_are_served_and_failed_authentications_refused() -> None:
    gateway = Gateway(rate_limit=f"{LIMIT}/hour", rate_limit_storage=f"redis://127.0.0.1:{free_port()}").start()
    try:
        account = await gateway.new_user()
        async with account.client() as client:
            served = await client.get("/api/backup-destinations")
            refused = await client.get("/api/backup-destinations", headers={"Authorization": "Bearer 1|wrong"})

        assert served.status_code == 200
        assert "X-RateLimit-Limit" not in served.headers
        assert refused.status_code == 429
        assert await gateway.logged("The rate limits cannot be counted")
    finally:
        gateway.close()
