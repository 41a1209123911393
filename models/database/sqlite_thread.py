"""Runs a function in the thread of a connection, which aiosqlite does for statements only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import aiosqlite

P = ParamSpec("P")
Result = TypeVar("Result")


async def in_thread(
    connection: aiosqlite.Connection,
    work: Callable[Concatenate[sqlite3.Connection, P], Result],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Result:
    """Call `work` with the connection, in its thread, after what the thread was given before."""
    execute: Any = connection._execute
    result: Result = await execute(work, connection._conn, *args, **kwargs)
    return result
