"""At start the embedded database and what lies beside it belong together, and its structure is whole."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app import embedded_file
from app.database import DatabaseAddress
from app.embedded_file import EmbeddedFileRefused, check_embedded_file
from tests.support.databases.databases import unserved
from tests.support.gateway.gateway import Gateway


@pytest.fixture
def embedded() -> Iterator[Gateway]:
    """A database with a key file that was used."""
    with unserved(None) as gateway:
        del gateway.settings["secret_keys"]
        assert gateway.command("keys", "status").returncode == 0
        yield gateway


def path_of(gateway: Gateway) -> Path:
    path = gateway.address.path
    assert path is not None
    return path


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def refusal_of(gateway: Gateway, *command: str) -> str:
    """The one sentence that a command is refused with."""
    refused = gateway.command(*command)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.count("\n") == 1
    return str(refused.stderr)


def test_a_lost_database_beside_its_key_is_not_made_anew_unasked(embedded: Gateway) -> None:
    """Whichever command comes first; and it is when it is asked for."""
    remove(path_of(embedded))

    for command in (("serve", "--port", "0"), ("migrate",), ("keys", "status")):
        assert "--start-anew" in refusal_of(embedded, *command)
        assert not path_of(embedded).exists()

    assert embedded.command("migrate", "--start-anew").returncode == 0
    assert embedded.command("keys", "status").returncode == 0


def test_an_empty_file_beside_a_key_is_a_lost_database_too(embedded: Gateway) -> None:
    remove(path_of(embedded))
    path_of(embedded).touch()

    assert "is missing or empty" in refusal_of(embedded, "migrate")


def test_writes_that_only_the_wal_has_are_not_thrown_away(tmp_path: Path) -> None:
    """SQLite deletes the `-wal` beside an empty file, whatever it holds; keys in a setting tell nothing of it."""
    path = tmp_path / "moorings.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE users (id INTEGER)")
        shutil.copy(f"{path}-wal", tmp_path / "kept")
    remove(path)
    shutil.copy(tmp_path / "kept", f"{path}-wal")

    with pytest.raises(EmbeddedFileRefused, match="-wal beside it holds writes"):
        check_embedded_file(DatabaseAddress(path=path), has_own_keys=True)


def test_a_lost_key_beside_a_used_database_is_asked_for_although_nothing_is_sealed(embedded: Gateway) -> None:
    key = embedded.directory / "moorings.key"
    key_id = key.read_text().partition(":")[0]
    key.unlink()

    assert key_id in refusal_of(embedded, "migrate")
    assert embedded.command("migrate", "--start-anew").returncode == 0


def test_a_damaged_database_is_refused_in_a_sentence(embedded: Gateway) -> None:
    path = path_of(embedded)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 4096 * (pages - 1))

    assert "is damaged" in refusal_of(embedded, "migrate")


def test_what_is_no_database_is_refused_in_a_sentence(embedded: Gateway) -> None:
    remove(path_of(embedded))
    path_of(embedded).write_text("no database " * 1000)

    assert "is damaged" in refusal_of(embedded, "migrate")


def test_the_check_of_a_large_file_ends_in_time_and_says_so(
    embedded: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedded_file, "CHECK_S", -1.0)
    monkeypatch.setattr(embedded_file, "CHECK_STEPS", 1)

    with caplog.at_level(logging.WARNING, logger="moorings"):
        check_embedded_file(embedded.address, has_own_keys=False)

    assert "found nothing so far" in caplog.text
