"""PostgreSQL: the URL read by asyncpg itself, every wait bounded, and a lost connection reported as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from asyncpg.pool import PoolAcquireContext
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    NestedTransactionContext,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, TransactionManagementError
from tortoise.models import Model

from models.database.idle_connections import IdleConnections
from models.database.pool_shares import PoolShares
from models.errors import DatabaseUnavailable, OutcomeUnknown

CONNECT_S = 1.0
ACQUIRE_S = 2.0
COMMAND_S = 7.0
SERVER_SETTINGS = {
    "application_name": "moorings",
    "statement_timeout": "5000",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",
    "timezone": "UTC",
}

UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What asyncpg raises when the database is away, overloaded or handing over; the request may be tried again."""


class _Pool(asyncpg.Pool):
    """A pool that hands out a connection in time or not at all; asyncpg's own waits without limit."""

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        return super().acquire(timeout=ACQUIRE_S if timeout is None else timeout)


class _Connection(asyncpg.Connection):
    """Goes back to the pool without a `RESET`, which would be a round trip: nothing here keeps state in a session."""

    def get_reset_query(self) -> str:
        return ""


POOL_DEFAULTS: dict[str, Any] = {
    "max_queries": 50_000,
    "max_inactive_connection_lifetime": 300.0,
    "connection_class": _Connection,
    "record_class": asyncpg.Record,
    "loop": None,
    "timeout": CONNECT_S,
    "command_timeout": COMMAND_S,
}


_OURS = frozenset({"host", "port", "user", "database", "password", "loop", "connection_class"})
"""What Tortoise says of a pool and we say ourselves, in the URL or above."""


class MooringsAsyncpgClient(AsyncpgDBClient):
    """A pool per process. `dsn` is the database's URL, `maxsize` the number of connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shares = PoolShares(int(kwargs.get("maxsize", 10)))
        self.idle = IdleConnections(self._open_pool)

    def _check_loop(self) -> bool:
        """Whether the loop that the pool was made in is still there; to ask for the one that runs is a system call."""
        return self._bound_loop is None or not self._bound_loop.is_closed()

    async def fetch(
        self, sql: str, *parameters: Any, record_class: type[asyncpg.Record] | None = None, is_write: bool = False
    ) -> Sequence[asyncpg.Record]:
        """The rows of a prepared statement as they come; raises `DatabaseUnavailable`, or `IntegrityError`.

        It is a transaction of its own: a write whose connection is lost raises `OutcomeUnknown`, as a COMMIT does.
        """
        self.log.debug(sql)
        is_sound = was_sent = False
        try:
            if self._pool is None:
                await self.acquire_connection().ensure_connection()
            connection = await self.idle.acquire()
            was_sent = True
            try:
                rows: Sequence[asyncpg.Record] = await connection.fetch(sql, *parameters, record_class=record_class)
                is_sound = True
            except TimeoutError:
                _abandon(connection)
                raise
            finally:
                await self.idle.release(connection, is_sound=is_sound)
        except UNAVAILABLE as error:
            raise (_lost_at_commit(error) if is_write and was_sent else DatabaseUnavailable()) from error
        except asyncpg.IntegrityConstraintViolationError as error:
            raise IntegrityError(error) from error
        return rows

    def _open_pool(self) -> asyncpg.Pool:
        if self._pool is None:
            raise DatabaseUnavailable
        return self._pool

    async def _close(self) -> None:
        await self.idle.return_all()
        await super()._close()

    async def create_pool(self, **kwargs: Any) -> asyncpg.Pool:
        """Connect; raises `DatabaseUnavailable` when that does not work within `CONNECT_S`."""
        given = {name: value for name, value in kwargs.items() if name not in _OURS}
        given["server_settings"] = SERVER_SETTINGS | given["server_settings"]
        pool = _Pool(given.pop("dsn"), **{**POOL_DEFAULTS, **given})
        try:
            await pool
        except (*UNAVAILABLE, ValueError, OverflowError) as error:  # the last two: a URL that asyncpg cannot read
            raise DatabaseUnavailable from error
        return pool

    async def _translate_exceptions(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._translate_exceptions(func, *args, **kwargs)
        except UNAVAILABLE as error:
            raise DatabaseUnavailable from error

    def _in_transaction(self) -> TransactionContext:
        return _PooledContext(_Transaction(self), self._pool_init_lock)


class _Transaction(TransactionWrapper):
    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_Transaction(self))

    async def _translate_exceptions(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._translate_exceptions(func, *args, **kwargs)
        except UNAVAILABLE as error:
            raise DatabaseUnavailable from error

    async def commit(self) -> None:
        """Commit; raises `OutcomeUnknown` when the connection is lost here."""
        try:
            await super().commit()
        except UNAVAILABLE as error:
            _abandon(self._connection)
            raise _lost_at_commit(error) from error

    async def release_savepoint(self) -> None:
        """Release a savepoint; raises `DatabaseUnavailable`, for the transaction around it is not committed."""
        try:
            await super().commit()
        except UNAVAILABLE as error:
            raise DatabaseUnavailable from error

    async def rollback(self) -> None:
        """Roll back; on a connection that is gone the server has done it."""
        try:
            await super().rollback()
        except UNAVAILABLE:
            _abandon(self._connection)
            self._finalized = True


class _PooledContext(TransactionContextPooled):
    """Gives the connection back also when the transaction does not come to begin, or the task is cancelled at its end.

    Tortoise's own leaves a cancelled task in a transaction that is over: nothing it does afterwards would work.
    """

    async def __aenter__(self) -> TransactionalDBClient:
        try:
            await self.ensure_connection()
            self.client._connection = await self.client._parent._pool.acquire()
        except UNAVAILABLE as error:
            raise DatabaseUnavailable from error
        self.token = get_connections().set(self.connection_name, self.client)
        try:
            await self.client.begin()
        except BaseException:
            get_connections().reset(self.token)
            await asyncio.shield(self.client._parent._pool.release(self.client._connection))
            raise
        client: TransactionalDBClient = self.client
        return client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        try:
            if not self.client._finalized and exc_type is not TransactionManagementError:
                await (self.client.rollback() if exc_type else self.client.commit())
        finally:
            get_connections().reset(self.token)
            await asyncio.shield(self.client._parent._pool.release(self.client._connection))


def _abandon(connection: Any) -> None:
    """End a connection at once: the pool would first wait for its server to confirm that a statement was cancelled."""
    with suppress(asyncpg.InterfaceError):  # the pool has taken back one that was lost
        connection.terminate()


def _lost_at_commit(error: Exception) -> DatabaseUnavailable:
    """What a failure of a commit, or of a write of its own transaction, means.

    An ERROR of the server has rolled the transaction back, and what asyncpg itself refuses was never sent. Behind
    everything else the transaction may have taken effect: a lost connection, a time-out, a session that was ended. A
    pooler such as PgBouncer reports a lost server as an ERROR of its own, of the class of connection exceptions.
    """
    is_of_server = isinstance(error, asyncpg.PostgresError) and not isinstance(error, asyncpg.PostgresConnectionError)
    is_rolled_back = is_of_server and getattr(error, "severity_en", None) == "ERROR"
    return DatabaseUnavailable() if is_rolled_back or isinstance(error, asyncpg.InterfaceError) else OutcomeUnknown()


def postgresql_behind(model: type[Model]) -> MooringsAsyncpgClient | None:
    """The pool behind a model; None on the embedded database, and inside a transaction, which a statement joins."""
    database: Any = model._meta.db
    return database if isinstance(database, MooringsAsyncpgClient) else None


@asynccontextmanager
async def in_share(model: type[Model], user_id: int) -> AsyncIterator[None]:
    """Around a statement or transaction of a user that may wait for locks: within the user's share of the pool.

    On the embedded database, and inside a transaction, there is nothing to share.
    """
    database = postgresql_behind(model)
    if database is None:
        yield
    else:
        async with database.shares.of(user_id):
            yield


client_class = MooringsAsyncpgClient
