"""Whatever ends or hangs, a worker, all of them, or the supervisor, the service goes on, or ends as a whole."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import asyncpg
import httpx
import pytest

from tests.support.databases.databases import unserved
from tests.support.databases.stoppable_postgres import StoppablePostgres, own_postgres
from tests.support.figures import amount
from tests.support.gateway.gateway import MOORINGS, NO_TLS, Gateway, environment
from tests.support.gateway.processes import children, is_alive, renewed, until
from tests.support.ports import free_port

LIST = "/api/backup-destinations"
ROUNDS = amount(1, 10)
HANGS_S = 3
UNAVAILABLE = {
    "error": "Service Unavailable",
    "message": "The database is not available just now; try again in a moment.",
}
Figure = Callable[[str], None]


@pytest.fixture(scope="module")
def server() -> Iterator[StoppablePostgres]:
    """A PostgreSQL that may be stopped."""
    with own_postgres() as server:
        server.create_database("supervised")
        yield server


async def status_of(gateway: Gateway, path: str = "/readyz", *, timeout_s: float = 60) -> int:
    """The status of a request on a connection of its own."""
    async with httpx.AsyncClient(base_url=gateway.url, verify=NO_TLS, timeout=timeout_s) as client:
        return (await client.get(path)).status_code


async def all_ready(gateway: Gateway, workers: int) -> None:
    """Wait until so many workers are there, all of them have said that they are ready, and one answers so."""

    def are_ready() -> bool:
        log, now = gateway.log_text(), children(gateway.pid)
        return len(now) == workers and all(f"Worker {pid} is ready." in log for pid in now)

    await until(are_ready)
    assert await status_of(gateway) == httpx.codes.OK


async def test_workers_that_die_while_the_database_is_away_come_back_and_heal_with_it(
    server: StoppablePostgres, figure: Figure
) -> None:
    """One, and then all at once: no request waits for the database, and the service is there when the database is."""
    gateway = await asyncio.to_thread(Gateway(server.url("supervised"), workers=2).start)
    try:
        await all_ready(gateway, 2)
        server.halt()
        try:
            for victims in (slice(0, 1), slice(0, 2)):
                before = children(gateway.pid)
                for pid in before[victims]:
                    os.kill(pid, signal.SIGKILL)
                answers = await asyncio.gather(*(status_of(gateway, timeout_s=30) for _ in range(8)))
                assert set(answers) == {httpx.codes.SERVICE_UNAVAILABLE}
                await until(lambda gone=before[victims]: not any(map(is_alive, gone)))  # type: ignore[misc]
                await until(lambda: len(children(gateway.pid)) == 2)
            async with httpx.AsyncClient(base_url=gateway.url, verify=NO_TLS, timeout=30) as client:
                refused = await client.get(LIST, headers={"Authorization": "Bearer 1|mrg_x"})
                assert (await client.get("/healthz")).status_code == httpx.codes.OK
            assert (refused.status_code, refused.json(), "Retry-After" in refused.headers) == (503, UNAVAILABLE, True)
        finally:
            server.resume()
        began = time.monotonic()
        await all_ready(gateway, 2)
        figure(f"all workers ready {time.monotonic() - began:.1f} s after the database")

        assert await asyncio.to_thread(gateway.stop) == 0
        assert "Traceback" not in gateway.log_text()
    finally:
        await asyncio.to_thread(gateway.close)


@pytest.mark.parametrize("workers", range(amount(2, 1), 3))
async def test_a_worker_that_hangs_is_noticed_and_replaced(workers: int, figure: Figure) -> None:
    """All of them, stopped as a debugger would."""
    gateway = Gateway(workers=workers, worker_timeout_seconds=str(HANGS_S))
    await asyncio.to_thread(gateway.start)
    try:
        await all_ready(gateway, workers)
        for _ in range(ROUNDS):
            before = children(gateway.pid)
            for pid in before:
                os.kill(pid, signal.SIGSTOP)
            wall_s = await renewed(gateway.pid, before)
            await all_ready(gateway, workers)  # one that hangs while it starts has a minute
            figure(f"{workers} hung, replaced after {wall_s:.1f} s with a time-out of {HANGS_S} s")

        assert gateway.log_text().count(f"it has not responded for {HANGS_S} s") >= workers * ROUNDS
    finally:
        await asyncio.to_thread(gateway.close)


async def test_no_worker_outlives_the_supervisor_or_holds_its_port(figure: Figure) -> None:
    """Neither one that runs nor one that is stopped."""
    gateway = Gateway(workers=2)
    await asyncio.to_thread(gateway.start)
    try:
        await all_ready(gateway, 2)
        workers = children(gateway.pid)
        os.kill(workers[0], signal.SIGSTOP)
        os.kill(gateway.pid, signal.SIGKILL)
        await asyncio.to_thread(gateway.stop)

        wall_s = await until(lambda: not any(map(is_alive, workers)), deadline_s=10)
        figure(f"workers ended {wall_s:.2f} s after the supervisor was killed")
        await asyncio.to_thread(gateway.start)  # on the same port
    finally:
        await asyncio.to_thread(gateway.close)


async def test_a_start_waits_for_a_database_that_is_late(server: StoppablePostgres) -> None:
    gateway = Gateway(server.url("supervised"))
    server.halt()
    starting = asyncio.create_task(asyncio.to_thread(gateway.start))
    try:
        await until(lambda: gateway.log_path.exists() and "Waiting for up to 15 s." in gateway.log_text())
    finally:
        server.resume()
    await starting

    assert await status_of(gateway) == httpx.codes.OK
    await asyncio.to_thread(gateway.close)


async def test_a_worker_that_cannot_start_as_it_is_configured_ends_the_first_start(figure: Figure) -> None:
    """What the command itself has found right can still be wrong for a worker: here another key."""
    with unserved(None) as gateway:
        assert gateway.command("migrate").returncode == 0
        account = await gateway.new_user()
        assert account.token
        refused = gateway.command("serve", "--port", str(free_port()), secret_keys="a:not-a-key")

    assert refused.returncode == 1
    assert re.fullmatch(r"moorings: .*\n", refused.stderr)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_four_first_starts_at_once_make_one_user_and_one_key(round_: int) -> None:
    with unserved(None) as gateway:
        ports = [free_port() for _ in range(4)]
        starts = [
            subprocess.Popen(
                [MOORINGS, "serve", "--port", str(port)],
                env=environment(database_url=gateway.database_url),
                cwd=gateway.directory,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for port in ports
        ]
        try:
            for port in ports:
                deadline = time.monotonic() + 60
                while not _is_ready(port):
                    assert time.monotonic() < deadline, [start.poll() for start in starts]
                    time.sleep(0.05)
        finally:
            for start in starts:
                start.terminate()
            said = [start.communicate(timeout=60) for start in starts]

        assert [start.returncode for start in starts] == [0, 0, 0, 0]
        assert sum("Welcome" in stdout for stdout, _ in said) == 1
        assert len(list(gateway.directory.glob("moorings.key*"))) == 1
        assert asyncio.run(gateway.rows("SELECT count(*) AS n FROM users")) == [{"n": 1}]
        assert asyncio.run(gateway.rows("SELECT count(*) AS n FROM tokens")) == [{"n": 1}]


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", verify=NO_TLS).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


async def test_every_process_writes_the_log_in_the_form_that_was_set() -> None:
    """The supervisor and the workers, whatever the level."""
    gateway = Gateway(workers=2, log_format="json", log_level="DEBUG")
    assert gateway.command("migrate").returncode == 0
    await gateway.new_user()  # so that the first start shows nothing but its log
    await asyncio.to_thread(gateway.start)
    try:
        await all_ready(gateway, 2)
        victim, _ = children(gateway.pid)
        with socket.create_connection((gateway.host, gateway.port)) as client:
            client.sendall(b"this is not HTTP\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")
        os.kill(victim, signal.SIGKILL)
        await until(lambda: not is_alive(victim) and len(children(gateway.pid)) == 2)
    finally:
        assert await asyncio.to_thread(gateway.stop) == 0
    lines = [json.loads(line) for line in gateway.log_text().splitlines()]
    await asyncio.to_thread(gateway.close)

    messages = [line["message"] for line in lines]
    assert f"Worker {victim} has ended: signal SIGKILL. Another one takes its place." in messages
    assert "Invalid HTTP request received." in messages, "written by a worker"


async def test_a_worker_that_is_asked_to_end_is_replaced_first() -> None:
    gateway = Gateway()
    await asyncio.to_thread(gateway.start)
    try:
        before = children(gateway.pid)
        os.kill(before[0], signal.SIGTERM)
        await renewed(gateway.pid, before)

        assert await status_of(gateway) == httpx.codes.OK
        assert "has ended" not in gateway.log_text()
    finally:
        await asyncio.to_thread(gateway.close)


async def test_a_restart_is_called_off_while_new_workers_cannot_open_the_database(server: StoppablePostgres) -> None:
    """PostgreSQL refuses more connections of the role: what is open serves on, and every request is answered."""
    await execute(server, "CREATE ROLE limited LOGIN PASSWORD 'limited'", "CREATE DATABASE limited OWNER limited")
    place = server.url("limited").rpartition("@")[2]
    gateway = Gateway(f"postgresql://limited:limited@{place}", workers=2, database_wait_seconds="1")
    await asyncio.to_thread(gateway.start)
    try:
        await all_ready(gateway, 2)
        before = children(gateway.pid)
        await execute(server, "ALTER ROLE limited CONNECTION LIMIT 1")
        os.kill(gateway.pid, signal.SIGHUP)
        async with asyncio.timeout(60):
            while "the one that was to replace it is not ready" not in gateway.log_text():
                assert await status_of(gateway) == httpx.codes.OK
        await until(lambda: children(gateway.pid) == before)
        assert await status_of(gateway) == httpx.codes.OK

        await execute(server, "ALTER ROLE limited CONNECTION LIMIT -1")
        os.kill(gateway.pid, signal.SIGHUP)
        await renewed(gateway.pid, before)
        await all_ready(gateway, 2)
    finally:
        await asyncio.to_thread(gateway.close)


async def execute(server: StoppablePostgres, *statements: str) -> None:
    """Run statements as the superuser."""
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
