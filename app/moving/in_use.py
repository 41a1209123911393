"""Refuses to replace, or to copy away, a database that a gateway has open: what it writes meanwhile would be lost."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from app.moving.refused import MoveRefused
from models.database.connecting.servers import connect

LEAVING_S = 2.0
"""How long connections that have just ended may be seen."""
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND application_name IN ('moorings', 'moorings listener')"
)


def require_unused_file(path: Path) -> None:
    """Raise `MoveRefused` while another process has the embedded database open."""
    try:
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise MoveRefused(f"{path} is in use; stop the gateway first.") from error
        raise MoveRefused(f"{path} cannot be opened ({getattr(error, 'sqlite_errorname', 'SQLite')}).") from error
    except sqlite3.DatabaseError:
        pass  # damaged, which is what a backup is for


async def require_unused_server(url: str, what: str) -> None:
    """Raise `MoveRefused` while a gateway is connected to the database of the URL, which is called `what`.

    One behind a pooler is seen only while it has a session.
    """
    connection = await connect(url)
    try:
        deadline = time.monotonic() + LEAVING_S
        while count := await connection.fetchval(_OTHERS):
            if time.monotonic() > deadline:
                ours = "a connection" if count == 1 else f"{count} connections"
                raise MoveRefused(
                    f"{what} is in use: a gateway has {ours} to it; stop the gateway first. "
                    "Where none runs, a pooler kept what one left: let it RECONNECT."
                )
            await asyncio.sleep(0.1)
    finally:
        connection.terminate()
