"""Finds out whether a pooler such as PgBouncer stands before PostgreSQL, and opens connections that work through it.

In transaction mode a pooler gives each transaction to any of its sessions, so that nothing of a session may be relied
on. Then statements are prepared without a name, unless the pooler knows them by name itself (PgBouncer 1.21 and newer,
`max_prepared_statements`), and the limits of time that a session would have come with each transaction, unless the role
has its own. PgBouncer also refuses to begin a session with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg

from models.database.connecting.servers import CONNECT_S, connect

LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
"""The settings of a session that limit its time, and that poolers do not track."""
TRIES = 3
"""One that a pooler refuses, one that examines it, and one that suits it."""
_TRACKED_NAME = "PGBOUNCER\\_%"
"""What PgBouncer calls a statement on the server that it prepares anew wherever it is executed (its `prepare.h`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pooler:
    """What is known of a pooler, and of the role behind it."""

    tracks_statements: bool
    """Whether a statement that was prepared by name can be executed in any transaction."""
    has_limits: bool
    """Whether its sessions have the limits of time that are wanted by themselves, or need none."""


_UNKNOWN = Pooler(tracks_statements=False, has_limits=False)
"""A pooler that has not been examined."""


class Sessions:
    """Opens connections for one pool; `await sessions(url, ...)` has the parameters of `asyncpg.connect`.

    Each new connection is asked whether it leads to PostgreSQL itself, because a name may come to lead elsewhere.
    """

    def __init__(self, limits: Mapping[str, str]) -> None:
        """`limits` has a value for each of `LIMITS`, in milliseconds; 0 is none."""
        self._limits = {name: limits[name] for name in LIMITS}
        self.pooler: Pooler | None = None
        """None while connections lead to PostgreSQL itself."""

    @property
    def local_limits(self) -> str:
        """Statements that limit a transaction that has just begun; empty where nothing has to be said."""
        if self.pooler is None or self.pooler.has_limits:
            return ""
        return "; ".join(f"SET LOCAL {name} = {int(value)}" for name, value in self._limits.items())

    async def __call__(self, url: str, *, server_settings: Mapping[str, str], **options: Any) -> asyncpg.Connection:
        """Connect; `server_settings` has none of `LIMITS`. Raises what `connect` raises."""
        for _ in range(TRIES):
            expected = self.pooler
            settings = {**server_settings, **(self._limits if expected is None else {})}
            cache = {} if expected is None or expected.tracks_statements else {"statement_cache_size": 0}
            try:
                connection = await connect(url, server_settings=settings, **(options | cache))
            except asyncpg.ProtocolViolationError as error:
                if expected is not None or "startup parameter" not in str(error):
                    raise
                self.pooler = _UNKNOWN
                continue
            try:
                self.pooler = found = await self._look(connection)
            except BaseException:
                connection.terminate()
                raise
            if _form(found) == _form(expected):
                return connection
            connection.terminate()  # it was opened for something else than is there
        raise asyncpg.ConnectionDoesNotExistError("what listens there is now a pooler, and now PostgreSQL itself")

    async def _look(self, connection: asyncpg.Connection) -> Pooler | None:
        """The pooler that the connection leads through, or None; after a fail-over it may be another than before."""
        if await is_direct(connection):
            return None
        return Pooler(
            tracks_statements=await tracks_statements(connection),
            has_limits=await has_limits(connection, self._limits),
        )


def _form(pooler: Pooler | None) -> bool | None:
    """What the options of a connection depend on: None for PostgreSQL itself, or whether statements have names."""
    return None if pooler is None else pooler.tracks_statements


async def is_direct(connection: asyncpg.Connection) -> bool:
    """Whether the process that executes statements is the one that the connection was made to.

    A pooler gives its clients a number of its own, by which they may cancel statements.
    """
    # Rows that are counted by the server: a statement without a name and parameters works through every pooler.
    sql = f"SELECT WHERE pg_backend_pid() = {connection.get_server_pid()}"
    return await connection.execute(sql, timeout=CONNECT_S) == "SELECT 1"


async def tracks_statements(connection: asyncpg.Connection) -> bool:
    """Whether the pooler gives a prepared statement a name of its own, under which it finds it in every session."""
    mark = f"moorings_{uuid4().hex}"
    async with connection.transaction():
        await connection.prepare(f"SELECT '{mark}'", name=mark, timeout=CONNECT_S)
        sql = f"SELECT FROM pg_prepared_statements WHERE name LIKE '{_TRACKED_NAME}' AND statement LIKE '%{mark}%'"
        is_tracked = await connection.execute(sql, timeout=CONNECT_S) == "SELECT 1"
        if not is_tracked:
            await connection.execute(f"DEALLOCATE {mark}", timeout=CONNECT_S)
    return is_tracked


async def has_limits(connection: asyncpg.Connection, wanted: Mapping[str, str]) -> bool:
    """Whether each limit is in force where one is wanted, and none where none is."""
    each = " OR ".join(
        f"name = '{name}' AND setting {'=' if int(value) == 0 else '<>'} '0'" for name, value in wanted.items()
    )
    status = await connection.execute(f"SELECT FROM pg_settings WHERE {each}", timeout=CONNECT_S)
    return status == f"SELECT {len(wanted)}"
