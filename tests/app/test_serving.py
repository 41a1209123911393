"""Serving: the first start shows a way in, several processes are one gateway, and a signal ends it cleanly."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from tests.support.gateway.gateway import MOORINGS, STOP_DEADLINE_S, Gateway, environment
from tests.support.ports import free_port, listens

STOPS_WITHIN_S = 5.0
DEADLINE_S = 60.0
SIGNALS = {"sqlite": signal.SIGTERM, "postgresql": signal.SIGINT}
"""What ends a gateway in a test that runs once per engine; the engine has no part in it."""


@pytest.fixture
def fresh() -> Iterator[Gateway]:
    """An embedded gateway with no setting at all, not started."""
    gateway = Gateway(database_url="")
    gateway.settings.clear()
    yield gateway
    gateway.close()


def curl_of(log: str) -> str:
    """The request to paste that a first start shows."""
    (line,) = re.findall(r"^ *(curl .+)$", log, re.MULTILINE)
    return str(line)


def stop_timed(gateway: Gateway, sent: signal.Signals) -> tuple[int, float]:
    """The exit status after a signal, and how long it took in seconds."""
    started = time.monotonic()
    return gateway.stop(sent), time.monotonic() - started


def test_the_first_start_makes_a_user_and_shows_a_request_that_works_when_pasted(fresh: Gateway) -> None:
    shown = fresh.start().log_text()

    pasted = subprocess.run(["sh", "-c", f"{curl_of(shown)} --silent"], check=True, capture_output=True, text=True)

    assert json.loads(pasted.stdout)["data"] == []
    assert "mrg_" not in shown, "a log keeps what it is told"
    assert "admin@localhost" in shown
    assert fresh.url in shown

    made = {path.name: path.stat().st_mode & 0o777 for path in fresh.directory.iterdir() if path != fresh.log_path}
    assert made.keys() >= {"moorings.db", "moorings.key", "moorings.token"}
    assert set(made.values()) == {0o600}, "what it made is for its owner alone"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - as in a container
@pytest.mark.parametrize("shows", ["on a terminal", "when asked", "not into a log"])
def test_the_first_token_is_shown_only_where_no_log_keeps_it(tmp_path: Path, shows: str, host: str) -> None:
    """Once alone, once in the request, and then no file has it; else a file for the owner alone."""
    terminal, inside = os.openpty() if shows == "on a terminal" else os.pipe()
    options = ["--print-token"] if shows == "when asked" else []
    process = subprocess.Popen(
        [MOORINGS, "serve", "--host", host, "--port", str(free_port()), *options],
        env=environment(),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=inside,
        stderr=subprocess.DEVNULL,
    )
    os.close(inside)
    shown = b""
    try:
        while b"curl" not in shown:
            shown += os.read(terminal, 4096)
    finally:
        process.terminate()
        process.wait(STOP_DEADLINE_S)
        os.close(terminal)

    tokens, file = re.findall(rb"\d+\|mrg_\w+", shown), tmp_path / "moorings.token"
    if shows == "not into a log":
        assert tokens == []
        assert re.fullmatch(r"\d+\|mrg_\w+\n", file.read_text())
        assert file.stat().st_mode & 0o777 == 0o600
    else:
        assert len(tokens) == 2
        assert len(set(tokens)) == 1
        assert not file.exists()


def test_a_second_start_shows_no_token(fresh: Gateway) -> None:
    first = fresh.start().log_text()
    fresh.stop()
    second = fresh.start().log_text().removeprefix(first)

    assert "curl" in first
    assert "mrg_" not in second
    assert "Welcome" not in second
    assert fresh.url in second
    assert not re.search(r"Traceback|ERROR", second)


def test_several_processes_of_a_first_start_show_one_token(fresh: Gateway) -> None:
    fresh.workers = 2

    assert len(re.findall(r"Welcome", fresh.start().log_text())) == 1
    assert subprocess.run(["sh", "-c", curl_of(fresh.log_text())], check=True, capture_output=True).returncode == 0


def test_a_first_start_on_a_database_with_a_user_shows_no_token(fresh: Gateway) -> None:
    assert fresh.command("user", "create", "--email", "me@example.com", "--name", "Me").returncode == 0

    assert "mrg_" not in fresh.start().log_text()


def test_a_first_start_on_postgresql_says_how_to_make_a_user_and_makes_none(gateway: Gateway) -> None:
    if gateway.engine == "sqlite":
        assert "Welcome" in gateway.log_text()
    else:
        assert "moorings user create" in gateway.log_text()
        assert "mrg_" not in gateway.log_text()


async def test_several_workers_serve_one_gateway_and_end_together(fresh_database_url: str | None) -> None:
    gateway = Gateway(fresh_database_url, workers=2).start()
    account = await gateway.new_user()
    id_ = await account.create()

    async def look() -> int:
        async with account.client() as client:  # a new connection each, so that both workers get some
            return (await client.get(f"/api/backup-destinations/{id_}")).status_code

    assert set(await asyncio.gather(*(look() for _ in range(20)))) == {httpx.codes.OK}
    workers = children(gateway.pid)
    assert len(workers) >= 2

    status, wall_s = await asyncio.to_thread(stop_timed, gateway, SIGNALS[gateway.engine])

    assert status == 0
    assert wall_s < STOPS_WITHIN_S
    await until(lambda: not alive(workers))
    assert "Traceback" not in gateway.log_text()
    gateway.close()


def processes() -> dict[int, int]:
    """Every process and the one that started it."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
    return {int(pid): int(parent) for pid, parent in map(str.split, listed.splitlines())}


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [child for child, parent in processes().items() if parent == pid]


def alive(pids: list[int]) -> bool:
    """Whether one of the processes is still there."""
    return not processes().keys().isdisjoint(pids)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that others bring about."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.01)


async def test_a_signal_lets_a_request_under_way_finish(fresh_database_url: str | None) -> None:
    gateway = Gateway(fresh_database_url).start()
    account = await gateway.new_user()
    body = json.dumps({"label": "Made during the stop", "type": "local"})
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    head = f"POST /api/backup-destinations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {account.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    writer.write(head.encode())
    assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n"), "the request is being read"

    os.kill(gateway.pid, SIGNALS[gateway.engine])
    await until(lambda: not listens(gateway.port))
    writer.write(body.encode())
    answer = await reader.read()
    status, wall_s = await asyncio.to_thread(stop_timed, gateway, signal.SIGTERM)

    assert answer.startswith(b"HTTP/1.1 201 ")
    assert (await gateway.rows("SELECT label FROM backup_destinations")) == [{"label": "Made during the stop"}]
    assert status == 0
    assert wall_s < STOPS_WITHIN_S
    assert "Traceback" not in gateway.log_text()
    writer.close()
    gateway.close()


async def test_ctrl_c_in_a_terminal_reaches_every_process_and_is_a_clean_end(tmp_path: Path) -> None:
    with started_from_a_terminal(tmp_path, "--port", str(port := free_port()), "--workers", "2") as serving:
        await until(lambda: answers(port))
        os.killpg(serving.pid, signal.SIGINT)
        status = await asyncio.to_thread(serving.wait, STOPS_WITHIN_S)

    assert status == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


@contextmanager
def started_from_a_terminal(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`moorings serve` with a process group of its own, as a shell gives it."""
    with (directory / "log").open("wb") as log:
        serving = subprocess.Popen(
            [MOORINGS, "serve", *arguments],
            env=environment(),
            cwd=directory,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield serving
        finally:
            serving.kill()
            serving.wait()


def answers(port: int) -> bool:
    """Whether the gateway is up; its socket listens before anybody answers on it."""
    connection = HTTPConnection("127.0.0.1", port)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == httpx.codes.OK
    except OSError:
        return False
    finally:
        connection.close()
