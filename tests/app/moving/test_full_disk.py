"""A disk that is full while the database is moved."""

from __future__ import annotations

from pathlib import Path

from tests.support.databases.databases import unserved
from tests.support.databases.small_disk import filled, small_disk


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    """Of a backup and of a restore; the database is larger than the disk of the copy."""
    with small_disk(1) as disk, unserved(None) as gateway:
        assert gateway.command("migrate").returncode == 0
        path = gateway.directory / "moorings.db"
        with filled(disk):
            backup = gateway.command("db", "backup", str(disk / "a"))
        assert gateway.command("db", "backup", str(tmp_path / "a")).returncode == 0
        content = path.read_bytes()
        there = {"database_url": f"sqlite:///{disk / 'moorings.db'}"}
        with filled(disk):
            restored = gateway.command("db", "restore", str(tmp_path / "a"), **there)
        for done in (backup, restored):
            assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
            assert f"the disk of {disk} is full; make room, or name another place." in done.stderr
        assert list(disk.iterdir()) == []
        assert path.read_bytes() == content
