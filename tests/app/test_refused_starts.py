"""What cannot be served is refused within two seconds, in one sentence that names what to change."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases.databases import unserved
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import MOORINGS, Gateway, environment
from tests.support.gateway.promptness import serve
from tests.support.ports import free_port

PASSWORD = "hunter22"
NOT_THERE = "moorings: The database cannot be reached, or is not one; MOORINGS_DATABASE_URL says where it is.\n"
# Root may write everywhere, except without these two capabilities (prctl 24 is PR_CAPBSET_DROP, Linux).
AS_A_USER = """
import ctypes, os, sys
if os.geteuid() == 0:
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def store() -> Iterator[Gateway]:
    """A directory to start in; no gateway serves it."""
    with unserved(None) as gateway:
        yield gateway


def untouched(directory: Path) -> bool:
    """Whether a refused start left nothing behind."""
    return list(directory.iterdir()) == []


def test_a_port_that_is_taken_is_named_before_anything_is_made(store: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = serve(store, "--port", port)

    assert re.fullmatch(
        rf"moorings: Cannot listen on 127\.0\.0\.1 port {port}: .* Choose another with --port\.\n", refused.stderr
    )
    assert untouched(store.directory)


@pytest.mark.parametrize("host", ["192.0.2.1", "ä..x"])
def test_an_address_that_is_not_of_this_machine_is_refused(host: str, store: Gateway) -> None:
    refused = serve(store, "--host", host, "--port", "0")

    assert refused.stderr.startswith(f"moorings: Cannot listen on {host} port 0: ")
    assert untouched(store.directory)


def test_a_port_where_no_postgresql_listens_is_refused(store: Gateway) -> None:
    url = f"postgresql://user:{PASSWORD}@127.0.0.1:{free_port()}/moorings"

    assert serve(store, database_url=url).stderr == NOT_THERE


def test_a_postgresql_that_takes_the_connection_and_never_answers_is_refused(store: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        url = f"postgresql://user:{PASSWORD}@127.0.0.1:{black_hole.getsockname()[1]}/moorings"

        assert serve(store, database_url=url).stderr == NOT_THERE


def test_a_wrong_password_or_database_is_refused(store: Gateway, postgres: PostgresServer) -> None:
    right = postgres.url("postgres")
    wrong_password = re.sub(r":[^:@]+@", f":{PASSWORD}@", right)

    assert serve(store, database_url=wrong_password).stderr == NOT_THERE
    assert serve(store, database_url=postgres.url("there_is_no_such_database")).stderr == NOT_THERE


@pytest.mark.parametrize(
    "rest",
    ["127.0.0.1:hunter22/x", "[::1/x", "127.0.0.1:99999/x", "user:hunter22/7@h/x", "127.0.0.1/x?sslmode=hunter22"],
)
def test_a_postgresql_url_that_cannot_be_read_is_refused_without_being_shown(rest: str, store: Gateway) -> None:
    refused = serve(store, database_url=f"postgresql://{rest}")

    assert "MOORINGS_DATABASE_URL" in refused.stderr
    assert "hunter22" not in refused.stderr


@pytest.mark.parametrize(
    "content", [b"This is a letter, not a database.\n" * 99, b"SQLite format 3\x00" + b"\xff" * 4_096]
)
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(content: bytes, store: Gateway) -> None:
    letter = store.directory / "moorings.db"
    letter.write_bytes(content)

    refused = serve(store).stderr

    damaged = rf"moorings: {re.escape(str(letter))} is damaged .* a backup back\.\n"
    assert refused == NOT_THERE or re.fullmatch(damaged, refused)
    assert letter.read_bytes() == content


@pytest.mark.parametrize("place", ["file/x.db", "directory"])
def test_a_place_where_no_file_can_be_is_refused(place: str, store: Gateway) -> None:
    (store.directory / "file").touch()
    (store.directory / "directory").mkdir()

    assert serve(store, database_url=f"sqlite:///{store.directory}/{place}").stderr == NOT_THERE


@pytest.mark.parametrize("written_before", [False, True], ids=["empty", "with a database"])
def test_a_directory_that_cannot_be_written_to_is_refused(written_before: bool, store: Gateway) -> None:
    if written_before:
        assert store.command("migrate").returncode == 0
    owner = os.geteuid() or 65_534  # another than root, who needs the capabilities then
    for path in (*store.directory.iterdir(), store.directory):
        path.chmod(0o555 if path.is_dir() else 0o444)
        os.chown(path, owner, -1)
    before = sorted(path.name for path in store.directory.iterdir())

    refused = subprocess.run(
        [sys.executable, "-c", AS_A_USER, MOORINGS, "serve", "--port", "0"],
        env=environment(**store.settings),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", NOT_THERE)
    assert sorted(path.name for path in store.directory.iterdir()) == before
    store.directory.chmod(0o755)


def test_a_setting_that_is_wrong_is_named_before_anything_is_made(store: Gateway) -> None:
    refused = serve(store, log_level="loud", public_url="hunter22")

    assert "MOORINGS_LOG_LEVEL is not right: " in refused.stderr
    assert "MOORINGS_PUBLIC_URL is not right: " in refused.stderr
    assert "hunter22" not in refused.stderr
    assert untouched(store.directory)


def test_postgresql_without_keys_is_refused_with_what_makes_one(store: Gateway) -> None:
    refused = serve(store, database_url=f"postgresql://user:{PASSWORD}@127.0.0.1/x", secret_keys="")

    assert "MOORINGS_SECRET_KEYS is required with PostgreSQL" in refused.stderr
    assert PASSWORD not in refused.stderr
