"""A Vanguard database on PostgreSQL, read in one snapshot and never written by an import."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from models.database.connecting.servers import connect
from models.takeover.source_rows import COLUMNS, INTEGERS, SUSPENSIONS, SourceRefused, SuspensionRow, suspension_of

BATCH = 500
CONNECT_S = 10.0
COMMAND_S = 300.0
LOCK_WAIT = "5s"


class PostgresqlSource:
    """One connection inside of a transaction that only reads."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def suspensions(self) -> Sequence[SuspensionRow]:
        """See `Source`."""
        rows = await self._all(f"SELECT {selected(SUSPENSIONS)} FROM {SUSPENSIONS} WHERE lifted_at IS NULL")  # noqa: S608
        return [suspension_of(row) for row in rows]

    async def rows(self, table: str) -> AsyncGenerator[Sequence[Sequence[object]], None]:
        """See `Source`."""
        with translated():
            cursor = await self._connection.cursor(f"SELECT {selected(table)} FROM {table} ORDER BY id")  # noqa: S608
        while True:
            with translated():
                rows = await cursor.fetch(BATCH)
            if not rows:
                return
            yield [tuple(row) for row in rows]

    async def count(self, table: str) -> int:
        """See `Source`."""
        return int((await self._all(f"SELECT count(*) FROM {table}"))[0][0])  # noqa: S608 - our own names

    async def highest_id(self, table: str) -> int:
        """See `Source`; the table's sequence, where it has one, which the user has to be allowed to read."""
        highest = int((await self._all(f"SELECT coalesce(max(id), 0) FROM {table}"))[0][0])  # noqa: S608 - our own names
        sequence = (await self._all("SELECT pg_get_serial_sequence($1, 'id')", table))[0][0]
        if sequence is not None:
            last, is_called = (await self._all(f"SELECT last_value, is_called FROM {sequence}"))[0]  # noqa: S608 - quoted by PostgreSQL
            highest = max(highest, last if is_called else last - 1)
        return highest

    async def _all(self, sql: str, *parameters: object) -> Sequence[Any]:
        with translated():
            rows: Sequence[Any] = await self._connection.fetch(sql, *parameters)
        return rows


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the application's database; raises `SourceRefused`, which never has the URL in it."""
    with translated():
        connection = await connect(
            url,
            timeout=CONNECT_S,
            command_timeout=COMMAND_S,
            server_settings={
                "application_name": "moorings takeover",
                "timezone": "UTC",
                "datestyle": "ISO",
                "lock_timeout": LOCK_WAIT,
            },
        )
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def open_postgresql(url: str) -> AsyncIterator[PostgresqlSource]:
    """Connect, in one snapshot; raises `SourceRefused`."""
    async with connected(url) as connection:
        with translated():
            await connection.transaction(isolation="repeatable_read", readonly=True).start()
        yield PostgresqlSource(connection)


def selected(table: str) -> str:
    """The columns as integers and texts; a boolean is 0 or 1, a timestamp as ISO has it."""
    return ", ".join(f"{name}::{_type_of(name)}" for name in COLUMNS[table])


def _type_of(name: str) -> str:
    if name == "path_style_endpoint":
        return "int"
    return "bigint" if name in INTEGERS else "text"


@contextmanager
def translated() -> Iterator[None]:
    """Turn what PostgreSQL says into a sentence for the operator; the addresses and passwords of URLs stay out."""
    try:
        yield
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise SourceRefused(f"The source is no Vanguard database: {error}.") from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise SourceRefused("The source refuses the user or the password of its URL.") from error
    except asyncpg.InvalidCatalogNameError as error:
        raise SourceRefused("The source's server has no database of that name.") from error
    except asyncpg.LockNotAvailableError as error:
        raise SourceRefused("The source is locked by another process; try again when that has ended.") from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise SourceRefused(f"The source's user has too few rights there: {error}; see docs/takeover.md.") from error
    except asyncpg.PostgresError as error:
        raise SourceRefused(f"The source cannot be read: {error}.") from error
    except (OSError, OverflowError, TimeoutError, asyncpg.InterfaceError, ValueError) as error:
        raise SourceRefused("The source's PostgreSQL server does not answer at that URL.") from error
