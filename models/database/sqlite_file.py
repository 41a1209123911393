"""The files of the embedded database: whether those at its path are still the ones that this process has open.

A file that was deleted or replaced stays open: SQLite writes on into it, and what it acknowledged is gone with the
process. In WAL mode the same holds for its companions `-wal`, which has the newest commits, and `-shm`, by which the
processes on one file agree.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from enum import StrEnum
from pathlib import Path

COMPANIONS = ("-wal", "-shm")
Identity = tuple[int, int]
"""Device and inode."""


class FileState(StrEnum):
    """What is at the path, compared with what is open."""

    SAME = "the same"
    DELETED = "deleted"
    REPLACED = "replaced by another file"
    WAL_DELETED = "deprived of its -wal or -shm file"
    WAL_REPLACED = "given another -wal or -shm file"


class FileLost(Exception):
    """The files at the path are not those that are open."""

    def __init__(self, state: FileState) -> None:
        super().__init__(state.value)
        self.state = state


class SqliteFile:
    """The files of one database; every call is a few system calls, which wait for the disk in the worst case."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._opened: Mapping[str, Identity | None] = {}

    def note_opened(self) -> None:
        """The files that are at the path now are open; to be called after a first read, which makes the companions."""
        self._opened = {suffix: self._identity(suffix) for suffix in ("", *COMPANIONS)}

    def check(self) -> None:
        """Raises `FileLost` unless the files at the path are those that are open."""
        state = self.state()
        if state is not FileState.SAME:
            raise FileLost(state)

    def state(self) -> FileState:
        """Compare the files at the path with those that are open; one that cannot be looked at counts as deleted."""
        for suffix, opened in self._opened.items():
            if opened is None:  # a file system without WAL
                continue
            found = self._identity(suffix)
            if found == opened:
                continue
            if not suffix:
                return FileState.DELETED if found is None else FileState.REPLACED
            return FileState.WAL_DELETED if found is None else FileState.WAL_REPLACED
        return FileState.SAME

    def _identity(self, suffix: str) -> Identity | None:
        try:
            found = os.stat(self.path + suffix)  # noqa: PTH116 - before every write; a Path costs twice as much
        except OSError:
            return None
        return found.st_dev, found.st_ino


def fingerprint(connection: sqlite3.Connection) -> tuple[object, ...]:
    """What tells one installation's database from another's: its schema, and the keys that have proved themselves."""
    cursor = connection.cursor()
    cursor.row_factory = None
    schema = cursor.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    keys = cursor.execute("SELECT key_id, proof FROM vault_keys ORDER BY key_id").fetchall()
    return (*schema, *keys)


def fingerprint_at(path: str) -> tuple[object, ...] | None:
    """As `fingerprint`, of the file that is at the path now; None when it is no database with keys in it."""
    try:
        with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=rw", uri=True, timeout=1)) as connection:
            return fingerprint(connection)
    except sqlite3.Error:
        return None
