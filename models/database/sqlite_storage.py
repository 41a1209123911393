"""The connections to the file of the embedded database, and what happens when the file goes away beneath them."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import aiosqlite

from models.database.sqlite_errors import is_unavailable
from models.database.sqlite_file import FileLost, FileState, SqliteFile, fingerprint, fingerprint_at
from models.database.sqlite_readers import MAX_READERS, Readers
from models.database.sqlite_thread import in_thread
from models.database.sqlite_writer import Writer
from models.errors import DatabaseUnavailable
from models.outage import Outage, cause_of

READ_CHECK_S = 0.1
"""How old a look at the file may be for a read; a write looks each time, before it begins and after its commit."""
WATCH_S = 1.0
"""How often the file is looked at when nothing asks for it."""
OPEN_POLL_S = 0.05
"""How often it is tried to open a file that other processes open at the same time."""

P = ParamSpec("P")
Result = TypeVar("Result")


class Storage:
    """The writer and the readers of one file, opened with the first use.

    Once the file at the path is not the one that is open, everything is refused until it is back.
    """

    def __init__(self, path: str, pragmas: Mapping[str, Any], *, lock_wait_s: float) -> None:
        self.path = path
        self._uri = f"{Path(path).absolute().as_uri()}?mode=rw"  # makes no file: a lost one must not come back empty
        self._pragmas = pragmas
        self._lock_wait_s = lock_wait_s
        self._file = SqliteFile(path)
        self._read_checked_at = 0.0
        self._opening = asyncio.Lock()
        self._writer: Writer | None = None
        self._readers: Readers | None = None
        self._fingerprint: tuple[object, ...] | None = None
        self._lost = Outage(
            begins=f"The database file {path} went away; reads and writes are refused until it is back",
            ends=f"The database file {path} is back",
        )
        self._reading = Outage(begins=f"{path} cannot be read", ends=f"{path} can be read again")
        self._writing = Outage(begins=f"{path} cannot be written", ends=f"{path} can be written again")

    def connections(self) -> dict[str, float]:
        """How many connections there may be, are open and at work, and how many callers wait for one."""
        writer, readers, limit = self._writer, self._readers, 1 + MAX_READERS
        if writer is None or readers is None:
            return {"limit": limit, "open": 0, "in use": 0, "waiting": 0}
        return {
            "limit": limit,
            "open": 1 + readers.size,
            "in use": int(writer.is_taken) + readers.in_use,
            "waiting": writer.waiting + readers.waiting,
        }

    async def writer(self) -> Writer:
        """The connection that writes."""
        if self._lost.is_on:
            raise DatabaseUnavailable
        return self._writer or (await self._open())[0]

    async def read(
        self, work: Callable[Concatenate[sqlite3.Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Call `work` in the thread of a connection that reads; raises `DatabaseUnavailable`, or as `work` does."""
        if self._lost.is_on:
            raise DatabaseUnavailable
        readers = self._readers or (await self._open())[1]
        try:
            found: Result = await readers.run(self._checked, lambda connection: work(connection, *args, **kwargs))
        except FileLost as lost:
            self._note_lost(lost)
            raise DatabaseUnavailable from lost
        except DatabaseUnavailable as error:
            self._reading.begin(cause_of(error))
            raise
        except sqlite3.Error as error:
            if not is_unavailable(error):
                raise
            self._reading.begin(cause_of(error))
            raise DatabaseUnavailable from error
        if self._reading.is_on:
            self._reading.end()
        return found

    async def look(self) -> None:
        """Look whether the file is there, and open one that is back; raises `DatabaseUnavailable` without it."""
        if self._lost.is_on:
            await self._recover()
        self._read_checked_at = 0.0
        await self.read(_nothing)

    async def watch(self) -> None:
        """Look at the file for ever."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self.look()
            except DatabaseUnavailable:
                continue

    async def close(self) -> None:
        """Close every connection, when what they are doing has ended."""
        writer, readers, self._writer, self._readers = self._writer, self._readers, None, None
        if readers is not None:
            await readers.close()
        if writer is not None:
            await writer.close()

    def note_write(self, error: Exception | None) -> None:
        """Note that a transaction could not be made, or None after a commit."""
        if isinstance(error, FileLost):
            self._note_lost(error)
        elif error is not None:
            self._writing.begin(cause_of(error))
        elif self._writing.is_on:
            self._writing.end()

    def _checked(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Result]) -> Result:
        now = time.monotonic()
        if now - self._read_checked_at > READ_CHECK_S:
            self._file.check()
            self._read_checked_at = now
        return work(connection)

    def _note_lost(self, lost: FileLost) -> None:
        self._lost.begin(f"it was {lost.state.value}")

    async def _open(self) -> tuple[Writer, Readers]:
        async with self._opening:
            return await self._opened()

    async def _opened(self) -> tuple[Writer, Readers]:
        """Open what is not open; raises `DatabaseUnavailable` when the file cannot be opened or is no database."""
        if self._writer is None or self._readers is None:
            connection = await self._connect(self._pragmas)
            self._file.note_opened()
            self._writer = Writer(connection, self._file.check, self.note_write, lock_wait_s=self._lock_wait_s)
            self._readers = Readers(self._connect_reader)
        return self._writer, self._readers

    def _connect_reader(self) -> Any:
        return self._connect({"query_only": "ON", "busy_timeout": self._pragmas["busy_timeout"]})

    async def _connect(self, pragmas: Mapping[str, Any]) -> aiosqlite.Connection:
        deadline = time.monotonic() + self._lock_wait_s
        while True:
            connection = None
            try:
                connection = await aiosqlite.connect(self._uri, uri=True, isolation_level=None)
                await in_thread(connection, _prepare, pragmas)
            except BaseException as error:
                if connection is not None:  # it may lack a pragma, and with it a promise
                    await connection.close()
                if not isinstance(error, sqlite3.Error):
                    raise
                is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or time.monotonic() > deadline:
                    raise DatabaseUnavailable from error
            else:
                return connection
            await asyncio.sleep(OPEN_POLL_S)

    async def _recover(self) -> None:
        """Go on with the file if it is the right one; raises `DatabaseUnavailable` if it is not."""
        async with self._opening:
            if not self._lost.is_on:
                return
            state = await asyncio.to_thread(self._file.state)
            if self._writer is not None and self._readers is not None and state is not FileState.SAME:
                if state is FileState.WAL_DELETED:  # nobody else has begun another: nothing of it is lost
                    await self._writer.exclusively(_checkpoint)
                self._fingerprint = await self._readers.run(_fingerprint_or_none)
                if self._fingerprint != await asyncio.to_thread(fingerprint_at, self.path):
                    raise DatabaseUnavailable
                await self.close()
            elif self._writer is None and self._fingerprint != await asyncio.to_thread(fingerprint_at, self.path):
                raise DatabaseUnavailable
            await self._opened()
            self._lost.end()


def _prepare(connection: sqlite3.Connection, pragmas: Mapping[str, Any]) -> None:
    connection.row_factory = sqlite3.Row
    for pragma, value in sorted(pragmas.items()):  # the busy time-out first
        connection.execute(f"PRAGMA {pragma}={value}")
    connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # which opens the companions of the file


def _fingerprint_or_none(connection: sqlite3.Connection) -> tuple[object, ...] | None:
    try:
        return fingerprint(connection)
    except sqlite3.Error:
        return None


def _checkpoint(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _nothing(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT 1")
