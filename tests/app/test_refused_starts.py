"""What cannot be served is refused within two seconds, in one sentence that names what to change."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from models.database.connecting.servers import CONNECT_S
from tests.support.databases.databases import unserved
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import MOORINGS, Gateway, environment
from tests.support.gateway.promptness import serve
from tests.support.ports import free_port

PASSWORD = "hunter22"
NOT_POSTGRESQL = "{at} ends connections at once; look whether it is PostgreSQL that listens there"
OF_PGBOUNCER = b"SFATAL\0C08P01\0Munsupported startup parameter: lock_timeout\0\0"
"""The fields of the error that PgBouncer answers with."""
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


def cannot_be_used(why: str) -> str:
    """The sentence of a refused start."""
    return f"moorings: The database cannot be used: {why}.\n"


def serve_at_once(store: Gateway, database_url: str, *, waits_s: float = 0.0) -> str:
    """What a start says that does not wait for its database."""
    return serve(store, waits_s=waits_s, database_url=database_url, database_wait_seconds="0").stderr


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
    port = free_port()
    refused = serve_at_once(store, f"postgresql://user:{PASSWORD}@127.0.0.1:{port}/moorings")

    assert refused == cannot_be_used(
        f"nothing listens at 127.0.0.1:{port}; look at host and port in the URL, and whether the server runs "
        "(ConnectionRefusedError)"
    )


def test_a_host_that_does_not_resolve_is_named(store: Gateway) -> None:
    refused = serve_at_once(store, f"postgresql://user:{PASSWORD}@database.invalid/moorings")

    assert refused == cannot_be_used(
        "the host name in database.invalid:5432 does not resolve; look at the host in the URL, and at the name servers "
        "(gaierror)"
    )


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (
            "@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/nonexistent",
            "a file that sslrootcert=, sslcert= or sslkey= in the URL names for TLS with 127.0.0.1:1 does not exist "
            "(FileNotFoundError)",
        ),
        (
            "@/x?host=/nonexistent",
            "nothing listens at the socket in /nonexistent; look at host= in the URL, and whether the server runs "
            "(FileNotFoundError)",
        ),
        (
            "@127.0.0.1:99999/x",
            "the port of 127.0.0.1:99999 is none; look at the port in MOORINGS_DATABASE_URL (OverflowError)",
        ),
        (
            "@127.0.0.1:1/x?sslmode=bogus",
            "sslmode= in MOORINGS_DATABASE_URL is none that there is; such are disable, require and verify-full "
            "(ClientConfigurationError)",
        ),
    ],
    ids=["TLS file", "socket", "port", "sslmode"],
)
def test_a_part_of_the_url_that_cannot_be_is_named(rest: str, why: str, store: Gateway) -> None:
    assert serve_at_once(store, f"postgresql://user:{PASSWORD}{rest}") == cannot_be_used(why)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            NOT_POSTGRESQL,
        ),
        (b"", NOT_POSTGRESQL),
        (
            b"E" + struct.pack("!I", 4 + len(OF_PGBOUNCER)) + OF_PGBOUNCER,
            "a pooler at {at} refuses what is asked of a new connection; with PgBouncer set ignore_startup_parameters",
        ),
    ],
    ids=["HTTP", "nothing", "PgBouncer"],
)
def test_what_is_not_postgresql_itself_is_said(answer: bytes, sentence: str, store: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=answer_each, args=(server, answer), daemon=True).start()
        at = f"127.0.0.1:{server.getsockname()[1]}"
        refused = serve_at_once(store, f"postgresql://user:{PASSWORD}@{at}/moorings?sslmode=disable")

    assert refused.startswith(f"moorings: The database cannot be used: {sentence.format(at=at)}")
    assert PASSWORD not in refused


def answer_each(server: socket.socket, answer: bytes) -> None:
    """Answer each connection the same, once it has sent something, until the server is closed."""
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection:
                connection.recv(4_096)
                connection.sendall(answer)


def test_a_postgresql_that_takes_the_connection_and_never_answers_is_refused(store: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        at = f"127.0.0.1:{black_hole.getsockname()[1]}"
        refused = serve_at_once(store, f"postgresql://user:{PASSWORD}@{at}/moorings", waits_s=CONNECT_S)

    assert refused == cannot_be_used(
        f"{at} does not answer in time; look at host and port, at firewalls, and whether the server hangs "
        "(TimeoutError)"
    )


def test_a_wrong_password_or_database_is_refused(store: Gateway, postgres: PostgresServer) -> None:
    right = postgres.url("postgres")
    wrong_password = re.sub(r":[^:@]+@", f":{PASSWORD}@", right)

    at = urlsplit(right).netloc.rpartition("@")[2]

    assert serve(store, database_url=wrong_password).stderr == cannot_be_used(
        f"{at} refuses the user or the password; look at both in the URL (InvalidPasswordError)"
    )
    assert serve(store, database_url=postgres.url("there_is_no_such_database")).stderr == cannot_be_used(
        f"{at} has no database of this name; look at the end of the URL, or make it with CREATE DATABASE "
        "(InvalidCatalogNameError)"
    )
    assert serve(store, database_url=right.replace("sslmode=disable", "sslmode=require")).stderr == cannot_be_used(
        f"{at} does not speak TLS, and sslmode= in the URL asks for it (ConnectionError)"
    )


@pytest.mark.parametrize(
    "rest",
    [
        "127.0.0.1:hunter22/x",
        "[::1/x",
        "127.0.0.1:99999/x",
        "user:hunter22/7@h/x",
        "user:a@hunter22/7?b#c@h/x",
        "127.0.0.1/x?sslmode=hunter22",
    ],
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
    not_one = cannot_be_used(f"{letter} is not a database, or damaged; put a backup back (SQLITE_NOTADB)")
    assert refused == not_one or re.fullmatch(damaged, refused)
    assert letter.read_bytes() == content


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("file/x.db", "{store}/file is no folder; name another in MOORINGS_DATABASE_URL (NotADirectoryError)"),
        ("directory", "{store}/directory is a folder; name a file in MOORINGS_DATABASE_URL (IsADirectoryError)"),
        (
            "nowhere/x.db",
            "the folder {store}/nowhere does not exist; make it, or name another in MOORINGS_DATABASE_URL "
            "(FileNotFoundError)",
        ),
    ],
)
def test_a_place_where_no_file_can_be_is_refused(place: str, sentence: str, store: Gateway) -> None:
    (store.directory / "file").touch()
    (store.directory / "directory").mkdir()

    refused = serve(store, database_url=f"sqlite:///{store.directory}/{place}").stderr

    assert refused == cannot_be_used(sentence.format(store=store.directory))


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

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(
        f"moorings: The database cannot be used: this process's user may not write to {store.directory}/moorings.db"
    )
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


def test_production_without_a_database_setting_makes_no_new_one(store: Gateway) -> None:
    refused = serve(store, database_url="", environment="production")

    assert refused.stderr.startswith("moorings: MOORINGS_DATABASE_URL is required in production")
    assert untouched(store.directory)


def test_a_first_token_that_cannot_be_written_is_revoked_and_another_can_be_made(store: Gateway) -> None:
    """Something else has the name of its file."""
    (store.directory / "moorings.token").mkdir()

    refused = store.command("serve", "--port", "0")
    again = store.command("token", "create", "--email", "admin@localhost")
    listed = store.command("token", "list", "--json")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[-1].endswith(
        "is revoked; `moorings token create --email admin@localhost` makes another."
    )
    assert "Traceback" not in refused.stderr
    assert again.returncode == 0
    assert [each["state"] for each in json.loads(listed.stdout)] == ["revoked", "valid"]


def test_serve_without_migrating_names_what_is_missing_and_applies_nothing(store: Gateway) -> None:
    names = r"\d+ migrations of the database are missing: 0001_initial, .*\. `moorings migrate` applies them\.\n"

    assert re.fullmatch(f"moorings: {names}", serve(store, "--no-migrate", "--port", "0").stderr)
    checked = store.command("migrate", "--check")
    assert (checked.returncode, checked.stdout) == (1, "")
    assert re.fullmatch(f"moorings: {names}", checked.stderr)

    assert store.command("migrate").returncode == 0
    assert store.command("migrate", "--check").returncode == 0


def test_a_database_that_cannot_store_every_text_is_refused(store: Gateway, postgres: PostgresServer) -> None:
    """In another encoding some labels are an error, and in SQL_ASCII lengths are counted in bytes."""
    postgres.execute(
        "postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'"
    )
    refused = serve_at_once(store, postgres.url("latin"))
    examined = store.command("doctor", database_url=postgres.url("latin")).stdout
    postgres.drop_database("latin")

    assert "The database's encoding is LATIN1, which cannot store every text; make another with" in refused
    assert "The database's encoding is LATIN1" in examined
