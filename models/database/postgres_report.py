"""What a PostgreSQL says of itself over one connection: version, rights, time, room, pooler."""

from __future__ import annotations

import time
from dataclasses import dataclass

from models.database.connecting.notifications import notifications_arrive
from models.database.connecting.poolers import has_limits, is_direct, tracks_statements
from models.database.connecting.servers import connect
from models.database.postgresql import LIMITS, SERVER_SETTINGS

_FACTS = """
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_number,
       pg_is_in_recovery() AS is_standby, current_schema() AS schema,
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
    tracks_statements: bool
    """Whether that pooler knows prepared statements by name."""
    has_limits: bool
    """Whether the role has limits of time of its own, for statements, locks and idle transactions."""
    schema: str | None
    may_create: bool
    missing_rights: tuple[str, ...]
    """Tables and sequences with the rights that serving needs and the user has not."""
    ahead_s: float
    """How far the server's clock is ahead of this machine's."""
    max_connections: int
    connections: int
    is_encrypted: bool
    took_s: float


async def report(url: str) -> PostgresReport:
    """Connect and ask; raises what asyncpg raises when that cannot be done."""
    started = time.monotonic()
    connection = await connect(url, server_settings=SERVER_SETTINGS, statement_cache_size=0)
    try:
        before = time.time()
        (facts,) = await connection.fetch(_FACTS)
        after = time.time()
        missing = () if facts["schema"] is None else await connection.fetch(_MISSING_RIGHTS)
        is_pooled = not await is_direct(connection)
        return PostgresReport(
            version=facts["version"],
            version_number=facts["version_number"],
            is_standby=facts["is_standby"],
            is_pooled=is_pooled,
            tracks_statements=is_pooled and await tracks_statements(connection),
            has_limits=await has_limits(connection, LIMITS),
            schema=facts["schema"],
            may_create=facts["may_create"],
            missing_rights=tuple(row["missing"] for row in missing),
            ahead_s=facts["now"] - (before + after) / 2,
            max_connections=facts["max_connections"],
            connections=facts["connections"],
            is_encrypted=facts["is_encrypted"],
            took_s=time.monotonic() - started,
        )
    finally:
        connection.terminate()


async def notifies(url: str, listen_url: str) -> bool:
    """Whether a NOTIFY over the one URL reaches a LISTEN over the other; raises what asyncpg raises."""
    listening = await connect(listen_url, server_settings=SERVER_SETTINGS, statement_cache_size=0)
    try:
        connection = await connect(url, server_settings=SERVER_SETTINGS, statement_cache_size=0)
        try:
            return await notifications_arrive(listening, connection.execute)
        finally:
            connection.terminate()
    finally:
        listening.terminate()
