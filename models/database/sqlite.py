"""The embedded database: WAL, synchronous FULL, and every transaction `BEGIN IMMEDIATE`.

Tortoise begins deferred transactions, which fail with "database is locked" when another process writes between their
read and their write; an immediate one waits its turn at the start instead, where nothing is lost by trying again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from tortoise.backends.base.client import (
    ConnectionWrapper,
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections

from models.errors import DatabaseUnavailable

LOCK_WAIT_MS = 2_000
"""How long a lock on the file, or a turn at the connection, is waited for while nobody gets on."""
PATIENCE = 4
"""How many times as long it is waited for while others do get on: a queue that moves is no lock that hangs."""

UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}
"""What SQLite says when another process keeps the file too long, or the disk does not take or give it just now."""


class _Turns(asyncio.Lock):
    """Taken in time or not at all, as a connection of the PostgreSQL pool is; `note_progress` after each success."""

    def __init__(self) -> None:
        super().__init__()
        self._progress = 0

    def note_progress(self) -> None:
        """A statement has succeeded."""
        self._progress += 1

    async def acquire(self) -> Literal[True]:
        for _ in range(PATIENCE):
            seen = self._progress
            try:
                async with asyncio.timeout(LOCK_WAIT_MS / 1000):
                    return await super().acquire()
            except TimeoutError:
                if self._progress == seen:
                    break
        raise DatabaseUnavailable


class MooringsSqliteClient(SqliteClient):
    """One connection per process, durable and patient."""

    def __init__(self, file_path: str, **kwargs: Any) -> None:
        pragmas = {"journal_mode": "WAL", "synchronous": "FULL", "foreign_keys": "ON", "busy_timeout": LOCK_WAIT_MS}
        super().__init__(file_path, **{**pragmas, **kwargs})
        self._lock: asyncio.Lock = _Turns()

    async def create_connection(self, with_db: bool) -> None:
        """Open the file; raises `DatabaseUnavailable` when it cannot be opened or is no database."""
        try:
            await super().create_connection(with_db)
        except sqlite3.Error as error:
            await self.close()  # it may be open and lack a pragma, and with it a promise
            raise DatabaseUnavailable from error

    def acquire_connection(self) -> ConnectionWrapper[Any]:
        return _Connection(self._lock, self)

    def _in_transaction(self) -> TransactionContext:
        return _ImmediateContext(_ImmediateTransaction(self), self._lock)

    async def execute_script(self, query: str) -> None:
        await _run_statements(self, query)

    async def fetch_each(self, sql: str, parameters: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """The rows of one statement for each of several parameters, in one visit to the connection's thread."""
        self.log.debug(sql)
        async with self.acquire_connection() as connection:
            rows: list[list[Any]] = await connection._execute(_fetch_each, connection._conn, sql, parameters)
            return rows


class _Connection(ConnectionWrapper[Any]):
    """Every statement goes through one: the place where a failure of the moment becomes `DatabaseUnavailable`."""

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        await super().__aexit__(exc_type, exc_val, exc_tb)
        if exc_type is None and isinstance(self._lock, _Turns):
            self._lock.note_progress()
        if isinstance(exc_val, sqlite3.OperationalError) and exc_val.sqlite_errorcode & 0xFF in UNAVAILABLE:
            raise DatabaseUnavailable from exc_val


class _ImmediateTransaction(SqliteTransactionWrapper):
    def acquire_connection(self) -> ConnectionWrapper[Any]:
        return _Connection(self._lock, self)

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_ImmediateTransaction(self))

    async def begin(self) -> None:
        """Wait for the lock on the file. SQLite's wait is no queue: among many writers one may be passed over."""
        for _ in range(PATIENCE):
            seen = await self._data_version()
            try:
                await self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                failure = error
                if await self._data_version() == seen:
                    break
            else:
                return
        raise DatabaseUnavailable from failure

    async def _data_version(self) -> int:
        """A number that moves with every commit of another process."""
        rows = await self._connection.execute_fetchall("PRAGMA data_version")
        return int(next(iter(rows))[0])

    async def commit(self) -> None:
        try:
            await super().commit()
        except sqlite3.Error as error:
            await self.rollback()
            raise DatabaseUnavailable from error

    async def execute_script(self, query: str) -> None:
        await _run_statements(self, query)


class _ImmediateContext(SqliteTransactionContext):
    """Releases the connection also when the transaction does not come to begin; Tortoise's own context does not."""

    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            self.token = get_connections().set(self.connection_name, self.connection)
            try:
                await self.connection.begin()
            except BaseException:
                get_connections().reset(self.token)
                await asyncio.shield(self.connection._connection.rollback())
                raise
        except BaseException:
            self._trxlock.release()
            raise
        client: TransactionalDBClient = self.connection
        return client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        await super().__aexit__(exc_type, exc_val, exc_tb)
        if exc_type is None and isinstance(self._trxlock, _Turns):
            self._trxlock.note_progress()


def _fetch_each(connection: sqlite3.Connection, sql: str, parameters: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [connection.execute(sql, each).fetchall() for each in parameters]


async def _run_statements(client: SqliteClient, script: str) -> None:
    """Run a script statement by statement; sqlite3's own `executescript` would commit an open transaction first."""
    for statement in _statements(script):
        await client.execute_query(statement)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip(" \n\t;"):
                yield statement
            statement = ""


client_class = MooringsSqliteClient
