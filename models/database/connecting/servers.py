"""Connects to PostgreSQL: to the server of a URL, or to the first of several that is what the URL asks for.

libpq and asyncpg try several servers one after the other, and asyncpg within one time limit for all of them: a first
server that does not answer would hide the others. Here the next one is tried a little later, beside those before it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

CONNECT_S = 1.7
"""How long to connect to one server: one on another continent, with TLS, takes seven round trips of 0.2 s.

Less than a caller waits for a connection (`ACQUIRE_S`), so that a server that does not answer is found out.
"""
STAGGER_S = 0.15
"""How long after one server the next one is tried, while none has answered."""
_HOST = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]*))(?::([0-9]+))?")
_UNREACHABLE = (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError)
"""What says no more of a server than that it is away, in a list whose other servers may have more to say."""


async def connect(url: str, *, timeout: float = CONNECT_S, **options: Any) -> asyncpg.Connection:  # noqa: ASYNC109 - asyncpg's own name
    """Connect as `asyncpg.connect` does with these options; `timeout` is for each server.

    A URL of several servers without `target_session_attrs` means the primary: the gateway can do little with a standby.
    Raises what asyncpg raises; of several servers the error that says most, `TargetServerAttributeNotMatched` when
    those that answer are not what the URL asks for.
    """
    servers = servers_of(url)
    if len(servers) < 2:
        return await asyncpg.connect(url, timeout=timeout, **options)
    wanted = parse_qs(urlsplit(url).query).get("target_session_attrs", ["primary"])[-1]
    if wanted != "prefer-standby":
        return await _first(url, servers, timeout=timeout, target_session_attrs=wanted, **options)
    try:
        return await _first(url, servers, timeout=timeout, target_session_attrs="standby", **options)
    except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError):
        return await _first(url, servers, timeout=timeout, target_session_attrs="any", **options)


def servers_of(url: str) -> list[tuple[str, int]]:
    """Host and port of every server that a URL names itself, in its order; none where it does not name them so."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return []
    query = parse_qs(parts.query)
    hosts = (parts.netloc.rpartition("@")[2] or query.get("host", [""])[-1]).split(",")
    ports = query.get("port", [""])[-1].split(",")
    if len(ports) != len(hosts):
        ports = ports[:1] * len(hosts)
    found = list[tuple[str, int]]()
    for text, port in zip(hosts, ports, strict=True):
        host = unquote(text)
        match = _HOST.fullmatch(host)
        if host.startswith("/"):
            found.append((host, int(port or 5432)))
        elif match is None or not (match[1] or match[2]):
            return []
        else:
            found.append((match[1] or match[2], int(match[3] or port or 5432)))
    return found


async def _first(url: str, servers: list[tuple[str, int]], **options: Any) -> asyncpg.Connection:
    """The first connection that comes, the servers tried in their order `STAGGER_S` apart; the others are ended."""
    tasks: set[asyncio.Task[asyncpg.Connection]] = set()
    waiting = list(servers)
    errors: list[Exception] = []
    try:
        pending: set[asyncio.Task[asyncpg.Connection]] = set()
        while waiting or pending:
            if waiting:
                host, port = waiting.pop(0)
                task = asyncio.ensure_future(asyncpg.connect(url, host=host, port=port, **options))
                tasks.add(task)
                pending.add(task)
            done, pending = await asyncio.wait(
                pending, timeout=STAGGER_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                if (error := task.exception()) is None:
                    tasks.discard(task)
                    return task.result()
                if not isinstance(error, Exception):
                    raise error
                errors.append(error)
    finally:
        for task in tasks:
            task.add_done_callback(_end)
            task.cancel()
    raise _most_telling(errors)


def _end(task: asyncio.Task[asyncpg.Connection]) -> None:
    """End a connection that came too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().terminate()


def _most_telling(errors: Iterable[Exception]) -> Exception:
    """A refusal before a wrong role before silence, of each the first."""

    def rank(error: Exception) -> int:
        if isinstance(error, _UNREACHABLE):
            return 2
        return 1 if isinstance(error, asyncpg.TargetServerAttributeNotMatched) else 0

    return min(errors, key=rank)
