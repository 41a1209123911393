"""The PostgreSQL of the tests starts, serves, and leaves nothing behind, however its owner ends."""

import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.databases.postgres import DATABASE_URL_VARIABLE, PostgresServer
from tests.support.paths import ROOT

OWNER = """
import sys, time
from tests.support.databases.postgres import PostgresServer
server = PostgresServer()
server.start()
print(server.directory, server.url("postgres"), flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv(DATABASE_URL_VARIABLE, raising=False)
        server = PostgresServer({"log_statement": "all"})
    server.start()
    yield server
    server.stop()


def nobody_listens(url: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) != 0


async def test_a_database_is_made_copied_used_and_dropped_from_inside_a_running_loop(server: PostgresServer) -> None:
    server.create_database("first")
    connection = await asyncpg.connect(server.url("first"))
    await connection.execute("CREATE TABLE harbour AS SELECT 'É' AS name")
    await connection.close()

    server.create_database("second", template="first")
    connection = await asyncpg.connect(server.url("second"))
    assert await connection.fetchval("SELECT lower(name) FROM harbour") == "é"
    server.drop_database("second")
    connection.terminate()

    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(server.url("second"))
    assert "CREATE TABLE harbour" in server.log_path.read_text()


async def test_a_wrong_password_does_not_get_in(server: PostgresServer) -> None:
    url = urlsplit(server.url("postgres"))
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url._replace(netloc=f"postgres:wrong@127.0.0.1:{url.port}").geturl())


def test_it_never_runs_as_root(server: PostgresServer) -> None:
    owner = (server.directory / "data").stat().st_uid
    assert owner == (pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid())


def test_it_stops_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATABASE_URL_VARIABLE, raising=False)
    server = PostgresServer()
    server.start()
    directory, url = server.directory, server.url("postgres")
    server.stop()
    assert nobody_listens(url)
    assert not directory.exists()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_process_that_started_it(end: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATABASE_URL_VARIABLE, raising=False)
    with subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        directory, url = owner.stdout.readline().split()
        owner.send_signal(end)

    deadline = time.monotonic() + 10
    while (Path(directory).exists() or not nobody_listens(url)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert nobody_listens(url)
    assert not Path(directory).exists()


def test_a_server_named_in_the_environment_is_used_and_left_running(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_URL_VARIABLE, server.url("postgres"))
    named = PostgresServer()
    named.start()
    named.create_database("elsewhere")
    named.stop()
    assert named.url("elsewhere") == server.url("elsewhere")
    assert not nobody_listens(server.url("postgres"))
