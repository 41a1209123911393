"""PostgreSQL: the URL read by asyncpg itself, every wait bounded, and a lost connection reported as one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from asyncpg.pool import PoolAcquireContext
from asyncpg.transaction import Transaction
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    NestedTransactionContext,
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, TransactionManagementError
from tortoise.models import Model

from models.clock import current_second
from models.database.connecting.poolers import Sessions
from models.database.connecting.servers import CONNECT_S
from models.database.pool_shares import PoolShares
from models.database.pooled_connections import ACQUIRE_S, LOST, UNAVAILABLE, PooledConnections, abandon
from models.errors import DatabaseUnavailable, OutcomeUnknown
from models.tracing.spans import Attributes, current_span
from models.tracing.statements import statement_span

COMMAND_S = 4.0
"""How long a statement may have no answer; the server gives up before, if it lives."""
CALL_S = 4.5
"""How long a statement may take with the wait for its connection, so that a request is answered within 5 s."""
TRIES = 3
"""How often a read is sent at most: when many connections are ended, the next one may be among them."""
AGAIN_S = 0.02
"""How long to wait before that: sessions that are ended together close one after the other."""
AGAINS, AGAINS_PER_S = 20.0, 10.0
"""How many reads are sent again in a process, at once and in each second."""
SERVER_SETTINGS = {"application_name": "moorings", "timezone": "UTC"}
"""What a session begins with; PgBouncer lets both through, and keeps them for its clients."""
LIMITS = {"statement_timeout": "3500", "lock_timeout": "2000", "idle_in_transaction_session_timeout": "10000"}
"""For how many milliseconds the server lets a session do what; `Sessions` says how they are set."""


class _Pool(asyncpg.Pool):
    """A pool that hands out a connection in time or not at all; asyncpg's own waits without limit."""

    def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext:
        return super().acquire(timeout=ACQUIRE_S if timeout is None else timeout)


class _Connection(asyncpg.Connection):
    """Goes back to the pool without a `RESET`, which would be a round trip: nothing here keeps state in a session."""

    def get_reset_query(self) -> str:
        return ""

    async def _reset(self) -> None:
        """Roll back what a statement that failed left open; asyncpg does so too, and logs an error each time.

        Behind a pooler each statement is a transaction that brings its limits of time along.
        """
        self._top_xact = None
        if self.is_in_transaction():
            await self.execute("ROLLBACK")
        await super()._reset()


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


class _Agains:
    """How many reads may be sent again: some at once, and a few in each second."""

    def __init__(self) -> None:
        self._left = AGAINS
        self._counted_at = 0.0

    def take(self) -> bool:
        """Take one, if one is left."""
        now = time.monotonic()
        self._left = min(AGAINS, self._left + (now - self._counted_at) * AGAINS_PER_S)
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _ConnectionLost(Exception):
    """The connection of a statement was lost; the server may well be there."""


class MooringsAsyncpgClient(AsyncpgDBClient):
    """A pool per process. `dsn` is the database's URL, `maxsize` the number of connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        limits = LIMITS | kwargs.pop("limits", {})
        super().__init__(*args, **kwargs)
        self.sessions = Sessions(limits)
        size = int(kwargs.get("maxsize", 10))
        self.shares = PoolShares(size)
        self.connections = PooledConnections(self._open_pool, size)
        self._agains = _Agains()
        self._command_s = COMMAND_S
        self.attributes: Attributes = {"db.system.name": "postgresql"}
        """What spans of statements have of the connection; where it leads, once it was made."""

    def _check_loop(self) -> bool:
        """Whether the loop that the pool was made in is still there; to ask for the one that runs is a system call."""
        return self._bound_loop is None or not self._bound_loop.is_closed()

    async def fetch(
        self, sql: str, *parameters: Any, record_class: type[asyncpg.Record] | None = None, is_write: bool = False
    ) -> Sequence[asyncpg.Record]:
        """The rows of a prepared statement as they come; raises `DatabaseUnavailable`, or `IntegrityError`.

        A read that loses its connection is sent again over another. A write is a transaction of its own: one whose
        connection is lost raises `OutcomeUnknown`, as a COMMIT does.
        """
        if current_span() is None:
            return await self._fetch_in_time(sql, parameters, record_class, is_write=is_write)
        with statement_span(sql, self.attributes):
            return await self._fetch_in_time(sql, parameters, record_class, is_write=is_write)

    async def _fetch_in_time(
        self, sql: str, parameters: tuple[Any, ...], record_class: type[asyncpg.Record] | None, *, is_write: bool
    ) -> Sequence[asyncpg.Record]:
        self.log.debug(sql)
        until = time.monotonic() + max(CALL_S, self._command_s)
        for _ in range(TRIES - 1):
            try:
                return await self._fetch(sql, parameters, record_class, is_write=is_write, until=until)
            except _ConnectionLost as lost:
                if not self._agains.take():
                    raise DatabaseUnavailable from lost.__cause__
                await asyncio.sleep(AGAIN_S)
        try:
            return await self._fetch(sql, parameters, record_class, is_write=is_write, until=until)
        except _ConnectionLost as lost:
            raise DatabaseUnavailable from lost.__cause__

    async def _fetch(
        self,
        sql: str,
        parameters: tuple[Any, ...],
        record_class: type[asyncpg.Record] | None,
        *,
        is_write: bool,
        until: float,
    ) -> Sequence[asyncpg.Record]:
        is_sound = was_sent = may_be_done = False
        try:
            if self._pool is None:
                await self.acquire_connection().ensure_connection()
            connection = await self.connections.acquire(min(ACQUIRE_S, until - time.monotonic()))
            was_sent = True
            started = time.monotonic()
            limits = self.sessions.local_limits
            may_be_done = not limits
            try:
                if limits:
                    await connection.execute(f"BEGIN; {limits}", timeout=self._left_s(until))
                rows: Sequence[asyncpg.Record] = await connection.fetch(
                    sql, *parameters, timeout=self._left_s(until), record_class=record_class
                )
                if limits:
                    may_be_done = True
                    await connection.execute("COMMIT", timeout=self._left_s(until))
                is_sound = True
            except TimeoutError as error:
                abandon(connection)
                self.connections.note_silence(error, waited_s=time.monotonic() - started)
                raise
            except asyncpg.ReadOnlySQLTransactionError:
                abandon(connection)  # it is a standby's now: the next one may lead to the primary
                raise
            finally:
                await self.connections.release(connection, is_sound=is_sound)
        except UNAVAILABLE as error:
            if is_write and may_be_done:
                raise _lost_at_commit(error) from error
            is_lost = was_sent and not is_write and isinstance(error, LOST)
            raise (_ConnectionLost() if is_lost else DatabaseUnavailable()) from error
        except asyncpg.IntegrityConstraintViolationError as error:
            raise IntegrityError(error) from error
        return rows

    def _left_s(self, until: float) -> float:
        """How long a statement may take of a call that has to end then; asyncpg takes no time-out of nothing."""
        return max(0.001, min(self._command_s, until - time.monotonic()))

    async def execute_query(self, query: str, values: list[Any] | None = None) -> tuple[int, Any]:
        """As the ORM has it; a read is fetched, and so sent again when its connection is lost."""
        if not query.startswith("SELECT"):
            result: tuple[int, Any] = await super().execute_query(query, values)
            return result
        rows = await self._translated(type(self).fetch, query, *(values or ()))
        return len(rows), rows

    async def execute_query_dict(self, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        """The rows as dictionaries, of a statement that writes and returns some too; a read as in `execute_query`."""
        if not query.startswith("SELECT"):
            written: list[dict[str, Any]] = await super().execute_query_dict(query, values)
            return written
        return [dict(row) for row in (await self.execute_query(query, values))[1]]

    def acquire_connection(self) -> PoolConnectionWrapper[Any]:
        """A connection for the ORM, with `async with`."""
        return _Acquired(self, self._pool_init_lock)

    def _open_pool(self) -> asyncpg.Pool:
        if self._pool is None:
            raise DatabaseUnavailable
        return self._pool

    async def _close(self) -> None:
        if self._pool is not None and self.connections.is_away:
            self._pool.terminate()  # asyncpg would wait for an answer
        await self.connections.close()
        await super()._close()

    async def create_pool(self, **kwargs: Any) -> asyncpg.Pool:
        """Connect; raises `DatabaseUnavailable` when that does not work within `CONNECT_S`."""
        given = {name: value for name, value in kwargs.items() if name not in _OURS}
        given["server_settings"] = SERVER_SETTINGS | given["server_settings"]
        given = {**POOL_DEFAULTS, "connect": self.sessions, **given}
        self._command_s = given["command_timeout"]
        pool = _Pool(given.pop("dsn"), **given)
        try:
            await pool
        except (*UNAVAILABLE, ValueError, OverflowError) as error:  # the last two: a URL that asyncpg cannot read
            raise DatabaseUnavailable from error
        self.attributes = {"db.system.name": "postgresql", **_place_of(pool)}
        return pool

    async def _translate_exceptions(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Around each statement of the ORM; the statement is the first argument."""
        with statement_span(args[0] if args else "BEGIN", self.attributes):
            return await self._translated(func, *args, **kwargs)

    async def _translated(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        return await super()._translate_exceptions(_before_the_orm(func), *args, **kwargs)

    def _in_transaction(self) -> TransactionContext:
        return _PooledContext(_Transaction(self), self._pool_init_lock)


class _Acquired(PoolConnectionWrapper[Any]):
    """A connection around one statement of the ORM, in a transaction where the limits of time need one."""

    _transaction: Transaction | None = None

    async def __aenter__(self) -> Any:
        await self.ensure_connection()
        database: Any = self.client
        self.connection = await database.connections.acquire()
        if limits := database.sessions.local_limits:
            try:
                self._transaction = self.connection.transaction()
                await self._transaction.start()
                await self.connection.execute(limits)
            except BaseException as error:
                await self._release(error)
                raise
        return self.connection

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        try:
            if self._transaction is not None and exc_val is None:
                await self._transaction.commit()
        except BaseException as error:
            await self._release(error)
            raise
        await self._release(exc_val)

    async def _release(self, error: BaseException | None) -> None:
        """Give the connection back; the pool ends a transaction that is still open."""
        database: Any = self.client
        if isinstance(error, TimeoutError):
            abandon(self.connection)
            database.connections.note_silence(error, waited_s=database._command_s)
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            abandon(self.connection)
        await database.connections.release(self.connection, is_sound=error is None)


class _Transaction(TransactionWrapper):
    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(_Transaction(self))

    @property
    def _client(self) -> MooringsAsyncpgClient:
        client: Any = self._parent
        while isinstance(client, _Transaction):
            client = client._parent
        found: MooringsAsyncpgClient = client
        return found

    async def _translate_exceptions(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Around each statement of the ORM, the first argument, and around the beginning, which has none."""
        with statement_span(args[0] if args else "BEGIN", self._client.attributes):
            return await self._translated(func, *args, **kwargs)

    async def _translated(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._translate_exceptions(_before_the_orm(func), *args, **kwargs)
        except DatabaseUnavailable as error:
            if isinstance(error.__cause__, TimeoutError):
                self._give_up(error.__cause__)
            if isinstance(error.__cause__, asyncpg.ReadOnlySQLTransactionError):
                abandon(self._connection)
            raise

    def _give_up(self, error: TimeoutError) -> None:
        """End the connection: the statements behind one that has no answer would have none either."""
        abandon(self._connection)
        client = self._client
        client.connections.note_silence(error, waited_s=client._command_s)

    async def commit(self) -> None:
        """Commit; raises `OutcomeUnknown` when the connection is lost here."""
        with statement_span("COMMIT", self._client.attributes):
            try:
                await super().commit()
            except UNAVAILABLE as error:
                if isinstance(error, TimeoutError):
                    self._give_up(error)
                abandon(self._connection)
                raise _lost_at_commit(error) from error

    async def release_savepoint(self) -> None:
        """Release a savepoint; raises `DatabaseUnavailable`, for the transaction around it is not committed."""
        try:
            await super().commit()
        except UNAVAILABLE as error:
            if isinstance(error, TimeoutError):
                self._give_up(error)
            raise DatabaseUnavailable from error

    async def rollback(self) -> None:
        """Roll back; on a connection that is gone the server has done it."""
        try:
            await super().rollback()
        except UNAVAILABLE:
            abandon(self._connection)
            self._finalized = True


class _PooledContext(TransactionContextPooled):
    """Gives the connection back also when the transaction does not come to begin, or the task is cancelled at its end.

    Tortoise's own leaves a cancelled task in a transaction that is over: nothing it does afterwards would work.
    """

    @property
    def _connections(self) -> PooledConnections:
        database: Any = self.client._parent
        connections: PooledConnections = database.connections
        return connections

    async def _limit(self) -> None:
        """Limit the time of the transaction that has just begun, where its session does not."""
        database: Any = self.client._parent
        if limits := database.sessions.local_limits:
            await self.client.execute_script(limits)

    async def __aenter__(self) -> TransactionalDBClient:
        try:
            await self.ensure_connection()
            self.client._connection = await self._connections.acquire()
        except UNAVAILABLE as error:
            raise DatabaseUnavailable from error
        self.token = get_connections().set(self.connection_name, self.client)
        try:
            await self.client.begin()
            await self._limit()
        except BaseException:
            get_connections().reset(self.token)
            await self._connections.release(self.client._connection, is_sound=False)
            raise
        client: TransactionalDBClient = self.client
        return client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        is_sound = False
        try:
            if not self.client._finalized and exc_type is not TransactionManagementError:
                await (self.client.rollback() if exc_type else self.client.commit())
                is_sound = exc_type is None
        finally:
            get_connections().reset(self.token)
            await self._connections.release(self.client._connection, is_sound=is_sound)


def _before_the_orm(func: Any) -> Any:
    """The function, which raises `DatabaseUnavailable` itself: the ORM takes some of these errors for its own."""

    async def translated(*args: Any, **kwargs: Any) -> Any:
        try:
            return await func(*args, **kwargs)
        except UNAVAILABLE as error:
            raise DatabaseUnavailable from error

    return translated


def _lost_at_commit(error: Exception) -> DatabaseUnavailable:
    """What a failure of a commit, or of a write of its own transaction, means.

    An ERROR of the server has rolled the transaction back, and what asyncpg itself refuses was never sent. Behind
    everything else the transaction may have taken effect: a lost connection, a time-out, a session that was ended. A
    pooler such as PgBouncer reports a lost server as an ERROR of its own, of the class of connection exceptions.
    """
    is_of_server = isinstance(error, asyncpg.PostgresError) and not isinstance(error, asyncpg.PostgresConnectionError)
    is_rolled_back = is_of_server and getattr(error, "severity_en", None) == "ERROR"
    is_unsent = isinstance(error, asyncpg.InterfaceError) or (
        isinstance(error, asyncpg.InternalClientError) and "cannot switch to state" in str(error)
    )
    return DatabaseUnavailable() if is_rolled_back or is_unsent else OutcomeUnknown()


def _place_of(pool: Any) -> Attributes:
    """Where the connections of an open pool lead: the host, the port and the database, or the socket's path."""
    for connection in (holder._con for holder in pool._holders if holder._con is not None):
        address, name = connection._addr, str(connection._params.database)
        if isinstance(address, str):
            return {"server.address": address, "db.namespace": name}
        return {"server.address": str(address[0]), "server.port": int(address[1]), "db.namespace": name}
    return {}


def postgresql_behind(model: type[Model]) -> MooringsAsyncpgClient | None:
    """The pool behind a model; None on the embedded database, and inside a transaction, which a statement joins."""
    database: Any = model._meta.db
    return database if isinstance(database, MooringsAsyncpgClient) else None


async def earlier_second(model: type[Model]) -> datetime:
    """The current time by the clock that is behind, of this process and the database; SQLite has no clock of its own.

    For what is removed for its age: a clock that is ahead removes nothing too early.
    """
    database = postgresql_behind(model)
    if database is None:
        return current_second()
    (row,) = await database.fetch("SELECT date_trunc('second', now()) AS now")
    now: datetime = row["now"]
    return min(current_second(), now)


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
