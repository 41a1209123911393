"""What lies beside the embedded database, and in it, before it is opened: a lost file must not be made anew unasked.

A start on an empty file beside a key that was used would make another installation, with a new first token, where the
backup should be put back.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from app.database import DatabaseAddress

logger = logging.getLogger("moorings")

KEY_FILE_NAME = "moorings.key"
CHECK_S = 5.0
"""How long the structure of the file is checked at a start; a larger file is checked in part."""
CHECK_STEPS = 10_000
"""After so many of its steps SQLite asks whether the time is over."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class EmbeddedFileRefused(Exception):
    """The file is damaged, or it and the key file do not belong together; `str()` says what to do."""


def check_embedded_file(address: DatabaseAddress, *, has_own_keys: bool, start_anew: bool = False) -> None:
    """Compare the file with what lies beside it, and check its structure; raises `EmbeddedFileRefused`.

    `has_own_keys`: the keys are in a setting, not in a file. With `start_anew` a missing one is made all the same.
    """
    path = address.path
    if path is None:
        return
    key_file = path.with_name(KEY_FILE_NAME)
    had_key = not has_own_keys and key_file.exists()  # before the tables: a first start makes it after them
    is_empty, key_ids = _look_into(path)
    has_key = has_own_keys or key_file.exists()  # after the tables: it is made before their row
    if start_anew:
        return
    if is_empty and had_key:
        raise EmbeddedFileRefused(
            f"{path} is missing or empty, and {key_file} beside it belongs to a database: put that back, from a backup "
            "if need be. If a new, empty database is meant, start once with --start-anew."
        )
    if is_empty and _has_content(Path(f"{path}-wal")):
        raise EmbeddedFileRefused(
            f"{path} is missing or empty, and {path}-wal beside it holds writes of a database: put that back, and both "
            "belong together. If a new, empty database is meant, start once with --start-anew."
        )
    if key_ids and not has_key:
        raise EmbeddedFileRefused(
            f"{key_file} is missing, and {path} was used with its key {', '.join(key_ids)}; put the file back. "
            "If nothing is sealed with it, a start with --start-anew makes another."
        )


def _look_into(path: Path) -> tuple[bool, list[str]]:
    """Whether the file is missing or has no tables, and the ids of the keys that have proved themselves in it."""
    if not _has_content(path):
        return True, []
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
            _check_structure(connection, path)
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            keys = connection.execute("SELECT key_id FROM vault_keys ORDER BY 1") if "vault_keys" in tables else ()
            return not tables, [key_id for (key_id,) in keys]
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            raise _damaged(path, str(error)) from error
        return False, []  # it cannot be opened, which its opening says better


def _check_structure(connection: sqlite3.Connection, path: Path) -> None:
    deadline = time.monotonic() + CHECK_S
    connection.set_progress_handler(lambda: time.monotonic() > deadline, CHECK_STEPS)
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        logger.warning(
            "%s is large: the check of its structure was ended after %.0f s and found nothing so far. "
            "`sqlite3 %s 'PRAGMA quick_check'` checks all of it.",
            path,
            CHECK_S,
            path,
        )
        return
    finally:
        connection.set_progress_handler(None, 0)
    if found != "ok":
        raise _damaged(path, found)


def _damaged(path: Path, found: str) -> EmbeddedFileRefused:
    return EmbeddedFileRefused(
        f"{path} is damaged ({' '.join(found.split())}): keep a copy of it and of its -wal file, and put a backup back."
    )


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
