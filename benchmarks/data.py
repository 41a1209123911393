"""The database of a comparison: a PostgreSQL of its own with the gateway's schema, and users who ask.

Every contender reads the same rows, and each has timestamps, a label and a bucket of its own. The rows of one user lie
as far apart as those of a user who came back day by day.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import asyncpg

from benchmarks.dialects import Caller
from benchmarks.machine import BenchmarkRefused
from models.accounts.bearer import digest_of, new_secret
from models.vault.secret import Secret
from models.vault.vault import Place, Vault, generate_key
from tests.support.databases.postgres import DATABASE_URL_VARIABLE, PostgresServer
from tests.support.gateway.gateway import MOORINGS, environment

POSTGRES_SETTINGS = {
    "fsync": "on",
    "shared_buffers": "512MB",
    "effective_cache_size": "2GB",
    "max_wal_size": "4GB",
    "max_connections": "300",
    # Of which the lateness of live events is counted.
    "track_commit_timestamp": "on",
    # Between the rounds instead, so that no contender has it in its turn.
    "autovacuum": "off",
}
DATABASE = "moorings"
FIRST_PAGE = 100
_MOMENT = "'2024-08-07 00:00:00+00:00'::timestamptz"
_USERS = f"""INSERT INTO users (email, name, created_at)
SELECT $1 || n || '@example.com', $1 || n, {_MOMENT} FROM generate_series(1, $2::int) AS n RETURNING id"""  # noqa: S608 - constants
CREATED = "timestamptz '2019-03-01 00:00:00+00' + (n * 7919 + u * 104729::bigint) % 150000000 * interval '1 second'"
"""When the n-th destination of user u was created: within five years, no two alike by more than chance."""
UPDATED = "(n * 31 + u * 17::bigint) % 20000000 * interval '1 second'"
"""How long after that it was changed."""
_TOKENS = f"""INSERT INTO tokens (user_id, name, digest, abilities, created_at)
SELECT u, 'load', d, '*', {_MOMENT} FROM unnest($1::int[], $2::text[]) AS given (u, d) RETURNING id, user_id"""  # noqa: S608 - constants
DESTINATIONS = f"""
INSERT INTO backup_destinations (uid, user_id, label, kind, bucket_name, region, endpoint, path_style_endpoint,
    access_key, secret_key, credentials_set_at, created_at, updated_at)
SELECT gen_random_uuid(), u, 'Nightly dumps of ' || u || ', project ' || n, kind,
    CASE WHEN kind <> 'local' THEN 'nightly-dumps-' || u || '-' || n END,
    CASE kind WHEN 'amazon_s3' THEN 'eu-west-1' END,
    CASE kind WHEN 'custom_s3' THEN 'https://s3.example.com' END,
    CASE WHEN kind <> 'local' THEN n % 2 = 0 END,
    CASE WHEN kind <> 'local' THEN $3 END, CASE WHEN kind <> 'local' THEN $3 END,
    CASE WHEN kind <> 'local' THEN {CREATED} END, {CREATED}, {CREATED} + {UPDATED}
FROM generate_series(1, $2::int) AS n, unnest($1::int[]) AS u, LATERAL (
    SELECT CASE WHEN n % 10 = 0 THEN 'local' WHEN n % 3 = 0 THEN 'amazon_s3' ELSE 'custom_s3' END AS kind
) AS chosen ORDER BY n, u"""  # noqa: S608 - constants
"""Of ten destinations six are custom S3, three Amazon S3 and one is local."""
_CALLERS = """SELECT users.id, destination_count,
    (SELECT array_agg(first.id) FROM (SELECT id FROM backup_destinations WHERE user_id = users.id ORDER BY id LIMIT $2)
     AS first) AS ids
FROM users WHERE users.id = ANY($1::int[]) ORDER BY users.id"""


_COMMITTED = "SELECT id, user_id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) AS at_s FROM events ORDER BY id"


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """A stored event, and the time of its commit, in seconds since 1970, on the clock of the machine."""

    id: int
    user_id: int
    at_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """So many users with so many destinations each."""

    name: str
    users: int
    destinations: int


PEOPLE = Group(name="person", users=100_000, destinations=20)
"""Whom reads are drawn from: 100,000 in the published run, 20,000 in quick ones."""
HOARDERS = Group(name="hoarder", users=1_000, destinations=120)
WRITERS = Group(name="writer", users=1_000, destinations=20)


class Stage(ABC):
    """A database and what is in it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.secret_keys = generate_key()
        self.callers: dict[str, Sequence[Caller]] = {}

    @property
    @abstractmethod
    def database_pid(self) -> int | None:
        """The process all processes of the database descend from; None where the contender is the database."""

    @abstractmethod
    def add(self, group: Group) -> None:
        """Make the users of a group, with one token and their destinations each."""

    @abstractmethod
    def restore(self, *, tidy: bool = True) -> None:
        """Remove what the writing scenarios left, and, with `tidy`, what the autovacuum would."""

    @abstractmethod
    def version(self) -> str:
        """The version of the database."""

    @property
    def gateway_environment(self) -> Mapping[str, str]:
        """The settings with which the gateway serves this data."""
        return environment(database_url=self.url, secret_keys=self.secret_keys)

    def migrate(self) -> None:
        """Make the gateway's schema."""
        command = [MOORINGS, "migrate"]
        subprocess.run(command, env=dict(self.gateway_environment), check=True, capture_output=True)

    def envelope(self) -> str:
        """A value sealed by the gateway's key; it is never opened, so that one will do for all rows."""
        place = Place(table="backup_destinations", column="access_key", user_id=0, row=uuid4())
        return Vault(self.secret_keys).seal(Secret("a key that is never opened"), place)


class PostgresStage(Stage):
    """A database on a PostgreSQL of its own."""

    def __init__(self, postgres: PostgresServer) -> None:
        super().__init__(postgres.url(DATABASE))
        self._postgres = postgres
        self._last_id = 0
        """Of the destinations that were there before the first request."""

    @property
    def database_pid(self) -> int:
        return int((self._postgres.directory / "data" / "postmaster.pid").read_text().split()[0])

    def add(self, group: Group) -> None:
        self.callers[group.name] = asyncio.run(self._add(group))

    def restore(self, *, tidy: bool = True) -> None:
        asyncio.run(self._restore(tidy=tidy))

    def version(self) -> str:
        return str(asyncio.run(self._value("SHOW server_version"))).split()[0]

    def committed(self) -> Sequence[Committed]:
        """The events that are stored, of each user in the order of their commits."""
        return asyncio.run(self._committed())

    async def _committed(self) -> Sequence[Committed]:
        connection = await asyncpg.connect(self.url)
        try:
            rows = await connection.fetch(_COMMITTED)
        finally:
            await connection.close()
        return [Committed(id=row["id"], user_id=row["user_id"], at_s=float(row["at_s"])) for row in rows]

    async def _add(self, group: Group) -> Sequence[Caller]:
        connection = await asyncpg.connect(self.url)
        try:
            users = [row["id"] for row in await connection.fetch(_USERS, group.name, group.users)]
            secrets = [new_secret() for _ in users]
            tokens = await connection.fetch(_TOKENS, users, list(map(digest_of, secrets)))
            await connection.execute(DESTINATIONS, users, group.destinations, self.envelope())
            await connection.execute("VACUUM (ANALYZE)")
            await connection.execute("CHECKPOINT")
            secret_of = dict(zip(users, secrets, strict=True))
            token_of = {row["user_id"]: f"{row['id']}|{secret_of[row['user_id']]}" for row in tokens}
            rows = await connection.fetch(_CALLERS, users, FIRST_PAGE)
            self._last_id = await connection.fetchval("SELECT max(id) FROM backup_destinations")
        finally:
            await connection.close()
        return [_caller(row, token_of[row["id"]]) for row in rows]

    async def _restore(self, *, tidy: bool) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute("TRUNCATE events")
            # By the index, which a search for their label among millions of rows is not.
            await connection.execute("DELETE FROM backup_destinations WHERE id > $1", self._last_id)
            if tidy:
                # Without ANALYZE: too little has changed for the autovacuum to do it, either.
                await connection.execute("VACUUM")
                await connection.execute("CHECKPOINT")
        finally:
            await connection.close()

    async def _value(self, sql: str) -> object:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()


@contextmanager
def staged(groups: Sequence[Group]) -> Iterator[PostgresStage]:
    """A PostgreSQL with these groups, which ends with the block."""
    if DATABASE_URL_VARIABLE in os.environ:
        raise BenchmarkRefused(
            f"Unset {DATABASE_URL_VARIABLE}: only the processes of a PostgreSQL here can be measured."
        )
    postgres = PostgresServer(POSTGRES_SETTINGS)
    postgres.start()
    try:
        postgres.create_database(DATABASE)
        stage = PostgresStage(postgres)
        stage.migrate()
        for group in groups:
            stage.add(group)
        yield stage
    finally:
        postgres.stop()


def _caller(row: asyncpg.Record, token: str) -> Caller:
    return Caller(user_id=row["id"], token=token, total=row["destination_count"], destination_ids=tuple(row["ids"]))
