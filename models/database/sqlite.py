"""The embedded database for Tortoise: WAL, synchronous FULL, reads beside the writer, transactions `BEGIN IMMEDIATE`.

Tortoise has one connection for everything, and begins deferred transactions. A read would wait there for the fsync of
a write and for the lock of another process; and a transaction would fail with "database is locked" when another process
writes between its read and its write. An immediate one waits its turn at the start, where nothing is lost by trying
again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from tortoise.backends.base.client import (
    ConnectionWrapper,
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
)
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionWrapper
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.models import Model

from models.database.sqlite_errors import is_unavailable
from models.database.sqlite_storage import Storage
from models.database.sqlite_thread import in_thread
from models.database.sqlite_writer import Job, Writer, run_within
from models.errors import DatabaseUnavailable
from models.tracing.spans import Attributes
from models.tracing.statements import statement_span

LOCK_WAIT_MS = 2_000
"""How long a lock on the file, or a turn to write, is waited for while nobody gets on."""
WRITER_CACHE_KIB = 4 * 1024
"""Pages that the connection that writes keeps: those of a full group, so that none is written before its commit."""
CHECKPOINT_PAGES = 4_000
"""Pages of the log after which a commit copies them into the file: one that was written often is copied once."""

ATTRIBUTES: Attributes = {"db.system.name": "sqlite"}
"""What spans of statements have of the connection."""

Result = TypeVar("Result")


class MooringsSqliteClient(SqliteClient):
    """One connection that writes, and a few that read, per process.

    A statement outside any transaction that begins with SELECT is read beside the writer. Any other is a transaction.
    """

    def __init__(self, file_path: str, **kwargs: Any) -> None:
        pragmas = {
            "journal_mode": "WAL",
            "synchronous": "FULL",
            "foreign_keys": "ON",
            "busy_timeout": LOCK_WAIT_MS,
            "cache_size": -WRITER_CACHE_KIB,
            "wal_autocheckpoint": CHECKPOINT_PAGES,
        }
        super().__init__(file_path, **{**pragmas, **kwargs})
        self.storage = Storage(file_path, self.pragmas, lock_wait_s=int(self.pragmas["busy_timeout"]) / 1000)

    async def create_connection(self, with_db: bool) -> None:
        """Open the file; raises `DatabaseUnavailable` when it cannot be opened or is no database."""
        await self.storage.writer()
        await self._post_connect()

    async def close(self) -> None:
        await self.storage.close()

    def _in_transaction(self) -> TransactionContext:
        return _ImmediateContext(self)

    async def fetch_each(self, sql: str, parameters: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """The rows of one statement for each of several parameters, in one visit to a connection's thread."""
        self.log.debug(sql)
        with statement_span(sql, ATTRIBUTES):
            return await self.storage.read(_fetch_each, sql, parameters)

    async def write(self, job: Job, sql: str) -> Any:
        """Run a transaction's statements in the writer's thread, as `Writer.execute`; raises `IntegrityError` too.

        `sql` is the first of them.
        """
        with statement_span(sql, ATTRIBUTES):
            try:
                return await (await self.storage.writer()).execute(job)
            except sqlite3.IntegrityError as error:
                raise IntegrityError(error) from error

    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Sequence[Any]]:
        if not _is_read(query):
            async with self._in_transaction() as transaction:
                return await transaction.execute_query(query, values)
        self.log.debug("%s: %s", query, values)
        with statement_span(query, ATTRIBUTES):
            try:
                rows = await self.storage.read(_fetch, query.replace("\x00", "'||CHAR(0)||'"), values or ())
            except sqlite3.OperationalError as error:
                raise OperationalError(error) from error
        return len(rows), rows

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        return [dict(row) for row in (await self.execute_query(query, values))[1]]

    async def execute_insert(self, query: str, values: list[Any]) -> int:
        async with self._in_transaction() as transaction:
            return int(await transaction.execute_insert(query, values))

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        async with self._in_transaction() as transaction:
            await transaction.execute_many(query, values)

    async def execute_script(self, query: str) -> None:
        async with self._in_transaction() as transaction:
            await transaction.execute_script(query)


class _Connection(ConnectionWrapper[Any]):
    """Every statement of a transaction goes through one: where a failing file becomes `DatabaseUnavailable`."""

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        await super().__aexit__(exc_type, exc_val, exc_tb)
        if is_unavailable(exc_val):
            raise DatabaseUnavailable from exc_val


class SqliteTransaction(SqliteTransactionWrapper):
    """A turn of the writer; statements go to its connection one by one."""

    def __init__(self, client: SqliteClient, writer: Writer) -> None:
        super().__init__(client)
        self._writer = writer
        self._connection = writer.connection

    def acquire_connection(self) -> ConnectionWrapper[Any]:
        return _Connection(self._lock, self)

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(SqliteTransaction(self, self._writer))

    async def begin(self) -> None:
        with statement_span("BEGIN IMMEDIATE", ATTRIBUTES):
            await self._writer.begin()

    async def commit(self) -> None:
        self._finalized = True
        with statement_span("COMMIT", ATTRIBUTES):
            await self._writer.end(is_kept=True)

    async def write(self, job: Job, sql: str) -> Any:
        """Run the statements of a job in the writer's thread, undone alone when it raises; as the client's `write`."""
        with statement_span(sql, ATTRIBUTES):
            async with self.acquire_connection() as connection:
                try:
                    return await in_thread(connection, run_within, job)
                except sqlite3.IntegrityError as error:
                    raise IntegrityError(error) from error

    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Sequence[Any]]:
        with statement_span(query, ATTRIBUTES):
            result: tuple[int, Sequence[Any]] = await super().execute_query(query, values)
            return result

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        with statement_span(query, ATTRIBUTES):
            rows: list[dict[str, Any]] = await super().execute_query_dict(query, values)
            return rows

    async def execute_insert(self, query: str, values: list[Any]) -> int:
        with statement_span(query, ATTRIBUTES):
            return int(await super().execute_insert(query, values))

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        with statement_span(query, ATTRIBUTES):
            await super().execute_many(query, values)

    async def rollback(self) -> None:
        self._finalized = True
        with suppress(DatabaseUnavailable):  # then SQLite has undone it already
            await self._writer.end(is_kept=False)

    async def savepoint(self) -> None:
        with _undone():
            await super().savepoint()

    async def savepoint_rollback(self) -> None:
        with _undone():
            await super().savepoint_rollback()

    async def release_savepoint(self) -> None:
        with _undone():
            await super().release_savepoint()

    async def execute_script(self, query: str) -> None:
        """Run a script statement by statement; sqlite3's own `executescript` would commit the transaction first."""
        for statement in _statements(query):
            await self.execute_query(statement)


@contextmanager
def _undone() -> Iterator[None]:
    """Turn the failure of a savepoint into `DatabaseUnavailable`: the disk fails, or SQLite has undone everything."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseUnavailable from error


class _ImmediateContext(TransactionContext):
    """A transaction that is the models' connection in the task that it was begun in."""

    def __init__(self, client: MooringsSqliteClient) -> None:
        self._client = client

    async def __aenter__(self) -> TransactionalDBClient:
        transaction = SqliteTransaction(self._client, await self._client.storage.writer())
        await transaction.begin()
        self._transaction = transaction
        self._token = get_connections().set(self._client.connection_name, transaction)
        return transaction

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        get_connections().reset(self._token)
        if not self._transaction._finalized:
            await (self._transaction.commit() if exc_type is None else self._transaction.rollback())


def sqlite_of(model: type[Model]) -> MooringsSqliteClient | SqliteTransaction | None:
    """Where jobs of the embedded database go: the writer, or the transaction that is under way; None on PostgreSQL."""
    database: Any = model._meta.db
    return database if isinstance(database, MooringsSqliteClient | SqliteTransaction) else None


def _is_read(statement: str) -> bool:
    return statement[:6].upper() == "SELECT"


def _fetch(connection: sqlite3.Connection, sql: str, parameters: Sequence[Any]) -> list[Any]:
    return connection.execute(sql, parameters).fetchall()


def _fetch_each(connection: sqlite3.Connection, sql: str, parameters: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [connection.execute(sql, each).fetchall() for each in parameters]


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip(" \n\t;"):
                yield statement
            statement = ""


client_class = MooringsSqliteClient
