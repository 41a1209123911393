"""A Vanguard database on SQLite, read in one snapshot and never written by an import."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from models.takeover.source_rows import COLUMNS, SUSPENSIONS, SourceRefused, SuspensionRow, suspension_of

BATCH = 500
LOCK_WAIT_S = 5.0


class SqliteSource:
    """One file, open for reading."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def suspensions(self) -> Sequence[SuspensionRow]:
        """See `Source`."""
        columns = ", ".join(COLUMNS[SUSPENSIONS])
        rows = self._all(f"SELECT {columns} FROM {SUSPENSIONS} WHERE lifted_at IS NULL")  # noqa: S608 - our own names
        return [suspension_of(row) for row in rows]

    async def rows(self, table: str) -> AsyncGenerator[Sequence[Sequence[object]], None]:
        """See `Source`."""
        with translated():
            cursor = self._connection.execute(f"SELECT {', '.join(COLUMNS[table])} FROM {table} ORDER BY id")  # noqa: S608
        while True:
            with translated():
                rows = cursor.fetchmany(BATCH)
            if not rows:
                return
            yield rows

    async def count(self, table: str) -> int:
        """See `Source`."""
        return int(self._all(f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 - our own names

    async def highest_id(self, table: str) -> int:
        """See `Source`; a table without AUTOINCREMENT knows its highest row only."""
        highest = self._all(f"SELECT coalesce(max(id), 0) FROM {table}")[0][0]  # noqa: S608 - our own names
        if self._all("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"):
            found = self._all("SELECT seq FROM sqlite_sequence WHERE name = ?", table)
            highest = max(highest, *(row[0] for row in found if isinstance(row[0], int)), 0)
        return int(highest) if isinstance(highest, int) else 0

    def _all(self, sql: str, *parameters: object) -> list[Any]:
        with translated():
            return self._connection.execute(sql, parameters).fetchall()


@contextmanager
def open_sqlite(path: Path) -> Iterator[SqliteSource]:
    """Open a file in one snapshot; raises `SourceRefused`."""
    with connected(path, "ro", "BEGIN", "SELECT count(*) FROM sqlite_master") as connection:
        yield SqliteSource(connection)


@contextmanager
def connected(path: Path, mode: str, *statements: str) -> Iterator[sqlite3.Connection]:
    """Open a file that is there, in `mode` (`ro` or `rw`), and run these statements; raises `SourceRefused`."""
    if not path.is_file():
        raise SourceRefused(f"There is no file {path}.")
    with translated():
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=LOCK_WAIT_S, isolation_level=None
        )
    connection.text_factory = _text
    with closing(connection):
        with translated():
            for statement in statements:
                connection.execute(statement).fetchall()
        yield connection


def _text(stored: bytes) -> str | bytes:
    """A text, or the bytes of one that is not UTF-8, for which its row is refused."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


@contextmanager
def translated() -> Iterator[None]:
    """Turn what SQLite says into a sentence for the operator."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise SourceRefused("The source is locked by another process; try again when that has ended.") from error
        raise SourceRefused(f"The source is no Vanguard database: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise SourceRefused(f"The source cannot be read: {error}.") from error
