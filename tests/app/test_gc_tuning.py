"""What a process that serves keeps in memory: what serving needs, and nothing of what only other commands need."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx

from benchmarks.processes import resident_bytes
from tests.support.gateway.gateway import Gateway

SERVING = "import sys, app.cli.program, app.first_run, app.processes.worker; print(*sys.modules)"
ELSEWHERE = {
    "s3.prober": "a check",
    "httpcore": "a check",
    "rich": "a command that shows a table",
    "limits": "counts in Redis",
    "pydantic": "no import in these sources, and Tortoise loads it where it is installed",
}
"""What is not loaded before it is needed, by what needs it."""
QUERY = "{ backupDestinations(first: 20) { edges { node { id label } } } }"
SUPERVISOR_MOST_MB = 28
MOST_MB = 90
AT_ONCE = 20


def test_nothing_is_loaded_to_serve_that_only_something_else_needs() -> None:
    """Each of them costs every process between one and ten megabytes."""
    done = subprocess.run([sys.executable, "-c", SERVING], capture_output=True, text=True, check=True)

    assert ELSEWHERE.keys() & set(done.stdout.split()) == set()


async def test_a_process_that_has_served_is_small(fresh_database_url: str | None) -> None:
    """Of both APIs, with a hundred requests; the cache is off."""
    gateway = await asyncio.to_thread(Gateway(fresh_database_url, response_cache_bytes="0").start)
    try:
        account = await gateway.new_user()
        await asyncio.gather(*(account.create("local") for _ in range(AT_ONCE)))
        async with account.client() as client:
            for _ in range(5):
                listed = (client.get("/api/backup-destinations") for _ in range(AT_ONCE))
                asked = (client.post("/graphql", json={"query": QUERY}) for _ in range(AT_ONCE))
                answers = await asyncio.gather(*listed, *asked)
                assert {answer.status_code for answer in answers} == {httpx.codes.OK}
                assert not any("errors" in answer.json() for answer in answers)

        worker = resident_bytes(gateway.worker_pid)
        assert worker < MOST_MB << 20
        assert resident_bytes(gateway.pid) - worker < SUPERVISOR_MOST_MB << 20
    finally:
        await asyncio.to_thread(gateway.close)
