"""Which failures of SQLite are the file's or the disk's, so that the request may be tried again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import DatabaseUnavailable

UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""What SQLite says when another process keeps the file too long, or the disk does not take or give it."""


def is_unavailable(error: BaseException | None) -> bool:
    """Whether the error is one of `UNAVAILABLE`, with any extended code."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in UNAVAILABLE


@contextmanager
def translated() -> Iterator[None]:
    """Turn a failure of the file or the disk into `DatabaseUnavailable`."""
    try:
        yield
    except sqlite3.Error as error:
        if is_unavailable(error):
            raise DatabaseUnavailable from error
        raise
