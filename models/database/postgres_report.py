"""What a PostgreSQL says of itself over one connection: version, rights, time, room, pooler."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import asyncpg

from models.database.postgresql import CONNECT_S, SERVER_SETTINGS

_NOTIFIED_WITHIN_S = 2.0
_FACTS = """
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_number,
       pg_is_in_recovery() AS is_standby, pg_backend_pid() AS pid, current_schema() AS schema,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), FALSE) AS may_create,
       extract(epoch FROM clock_timestamp())::float8 AS now,
       current_setting('max_connections')::int AS max_connections,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS connections,
       coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), FALSE) AS is_encrypted
"""
_MISSING_RIGHTS = """
SELECT c.relname || ': ' || string_agg(wanted.name, ', ' ORDER BY wanted.name) AS missing
FROM pg_class c, LATERAL unnest(CASE
  WHEN c.relkind = 'S' THEN ARRAY['USAGE']
  WHEN c.relname = 'tortoise_migrations' THEN ARRAY['SELECT']
  WHEN c.relname = 'audit' THEN ARRAY['SELECT', 'INSERT', 'DELETE']
  ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] END) AS wanted (name)
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'S')
  AND NOT CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, wanted.name)
                         ELSE has_table_privilege(c.oid, wanted.name) END
GROUP BY c.relname ORDER BY c.relname
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresReport:
    """The facts about a server, as the user of the URL sees them."""

    version: str
    version_number: int
    """As `server_version_num`: 180001 is 18.1."""
    is_standby: bool
    is_pooled: bool
    """Whether the connection ends at another process than the one that executes statements."""
    schema: str | None
    may_create: bool
    missing_rights: tuple[str, ...]
    """Tables and sequences with the rights that serving needs and the user has not."""
    ahead_s: float
    """How far the server's clock is ahead of this machine's."""
    max_connections: int
    connections: int
    is_encrypted: bool
    notifies: bool
    """Whether a NOTIFY reached a LISTEN on the same connection."""
    took_s: float


async def report(url: str) -> PostgresReport:
    """Connect and ask; raises what asyncpg raises when that cannot be done."""
    started = time.monotonic()
    connection = await asyncpg.connect(url, timeout=CONNECT_S, server_settings=SERVER_SETTINGS, statement_cache_size=0)
    try:
        before = time.time()
        (facts,) = await connection.fetch(_FACTS)
        after = time.time()
        missing = () if facts["schema"] is None else await connection.fetch(_MISSING_RIGHTS)
        return PostgresReport(
            version=facts["version"],
            version_number=facts["version_number"],
            is_standby=facts["is_standby"],
            is_pooled=facts["pid"] != connection.get_server_pid(),
            schema=facts["schema"],
            may_create=facts["may_create"],
            missing_rights=tuple(row["missing"] for row in missing),
            ahead_s=facts["now"] - (before + after) / 2,
            max_connections=facts["max_connections"],
            connections=facts["connections"],
            is_encrypted=facts["is_encrypted"],
            notifies=not facts["is_standby"] and await _notifies(connection),
            took_s=time.monotonic() - started,
        )
    finally:
        connection.terminate()


async def _notifies(connection: asyncpg.Connection) -> bool:
    heard = asyncio.Event()
    await connection.add_listener("moorings_doctor", lambda *_: heard.set())
    await connection.execute("NOTIFY moorings_doctor")
    try:
        async with asyncio.timeout(_NOTIFIED_WITHIN_S):
            await heard.wait()
    except TimeoutError:
        return False
    return True
