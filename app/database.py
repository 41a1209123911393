"""The one database, embedded SQLite or PostgreSQL by URL: opening it, migrating it, asking whether it answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from socket import gaierror
from typing import Any

from tortoise import Tortoise
from tortoise.expressions import F
from tortoise.transactions import in_transaction

from models import migrations
from models.accounts.user import User
from models.database.sqlite import MooringsSqliteClient
from models.errors import DatabaseUnavailable

POOL_SIZE = 10
"""Connections of a process unless a setting says otherwise."""
REVISED_AT_ONCE = 500
_PASSING_STATES = frozenset({"08003", "57P01", "57P02", "57P03", "53300", "53400"})
"""SQLSTATEs of a server that starts, stops, recovers or has no connection left (PostgreSQL, Appendix A).

08003 is what the driver says of a connection that is ended at once, as the proxy of a container that is starting does.
"""
_PASSING_ERRORS = (ConnectionRefusedError, ConnectionResetError, TimeoutError, gaierror)
_NO_PRIMARY = "TargetServerAttributeNotMatched"
"""What the driver raises when none of several servers is the one that the URL asks for, as in a fail-over."""
_BUSY = frozenset({"SQLITE_BUSY", "SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_LOCKED"})
ENCODING = "UTF8"
"""Of PostgreSQL: any text may be sent, and its length is counted in characters."""
MIGRATION_LOCK = 0x6D6F6F72696E6773
"""The PostgreSQL advisory lock under which one process at a time migrates; the letters of the name."""

_MODEL_MODULES = [
    "models.accounts.user",
    "models.accounts.token",
    "models.audit.entry",
    "models.destinations.table",
    "models.events.event",
    "models.checks.check_job",
    "models.checks.check_turn",
    "models.checks.past_check",
    "models.checks.store_host",
    "models.grants.grant",
    "models.imported_row",
    "models.vault.vault_key",
    "models.writes.idempotency_key",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseAddress:
    """Where the data is: a file for the embedded database, a URL for PostgreSQL."""

    path: Path | None = None
    url: str | None = None
    pool_size: int = POOL_SIZE
    """Connections to PostgreSQL that a process opens at most."""

    @property
    def engine(self) -> str:
        """`sqlite` or `postgresql`."""
        return "sqlite" if self.url is None else "postgresql"

    @property
    def origin(self) -> str:
        """What to call it in a message; never a password."""
        return str(self.path) if self.url is None else "the PostgreSQL server of MOORINGS_DATABASE_URL"


def parse_address(url: str) -> DatabaseAddress:
    """Read MOORINGS_DATABASE_URL; raises ValueError with the form it wants.

    `sqlite:///file.db` is relative and `sqlite:////dir/file.db` absolute, as SQLAlchemy reads them; three slashes
    before a directory that exists only from the root are taken for absolute, as other programs write them.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme in ("postgresql", "postgres"):
        return DatabaseAddress(url=url)
    if not separator or scheme != "sqlite" or not rest.strip("/") or ":memory:" in rest or "?" in rest:
        raise ValueError("it wants sqlite:///relative.db, sqlite:////absolute.db or postgresql://user@host/database")
    path = Path(rest.removeprefix("/"))
    if not path.is_absolute() and rest.startswith("/") and not path.parent.exists() and Path(rest).parent.exists():
        path = Path(rest)
    return DatabaseAddress(path=path.absolute())


def orm_config(address: DatabaseAddress, *, migrating: bool = False) -> dict[str, Any]:
    """Tortoise's configuration; a migration may take as long as it needs, a request may not."""
    if address.url is None:
        engine = "models.database.sqlite"
        credentials: dict[str, Any] = {"file_path": str(address.path)}
        credentials |= {"busy_timeout": 60_000} if migrating else {}
    else:
        engine = "models.database.postgresql"
        credentials = {"dsn": address.url, "minsize": 1, "maxsize": address.pool_size}
        if migrating:
            patient = {"statement_timeout": "0", "lock_timeout": "0"}
            credentials |= {"maxsize": 1, "command_timeout": 3600, "limits": patient}
    # Tortoise keeps statements by connection name for the life of the process: a name per engine keeps them apart.
    app = {"models": _MODEL_MODULES, "default_connection": address.engine, "migrations": "models.migrations"}
    return {
        "connections": {address.engine: {"engine": engine, "credentials": credentials}},
        "apps": {"models": app},
    }


TORTOISE_ORM = orm_config(DatabaseAddress(path=Path("moorings.db")))
"""For Tortoise's own command line, which writes the migrations."""


@asynccontextmanager
async def open_database(address: DatabaseAddress, *, migrating: bool = False) -> AsyncIterator[None]:
    """Connect the models to the database; raises `DatabaseUnavailable` when it does not answer."""
    if address.path is not None:
        _create_private(address.path)
    await Tortoise.init(config=orm_config(address, migrating=migrating), use_tz=True, _enable_global_fallback=True)
    try:
        await answers(deadline_s=None)
        yield
    finally:
        await Tortoise.close_connections()


def _create_private(path: Path) -> None:
    """Make the file readable by its owner alone; SQLite gives its own companions the same mode."""
    try:
        os.close(os.open(path, os.O_CREAT, 0o600))
    except OSError as error:
        raise DatabaseUnavailable from error


async def answers(*, deadline_s: float | None = 1.0) -> None:
    """Ask the database for a sign of life as requests ask it; raises `DatabaseUnavailable` when none comes in time.

    A connection of its own could be answered while those that requests use are not.
    """
    database: Any = User._meta.db
    try:
        async with asyncio.timeout(deadline_s):
            await (
                database.storage.look() if isinstance(database, MooringsSqliteClient) else database.fetch("SELECT 1")
            )
    except TimeoutError as error:
        raise DatabaseUnavailable from error


async def watch_file() -> None:
    """Look at the file of the embedded database for ever: refuse everything while it is gone, and reopen it."""
    database: Any = User._meta.db
    if isinstance(database, MooringsSqliteClient):
        await database.storage.watch()


def may_come(error: DatabaseUnavailable) -> bool:
    """Whether the database may answer soon: it is starting, busy, or nothing listens there yet.

    A wrong password, a database that does not exist or a file that is none will not become right by waiting.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _PASSING_ERRORS) or type(cause).__name__ == _NO_PRIMARY:
            return True
        if getattr(cause, "sqlstate", None) in _PASSING_STATES or getattr(cause, "sqlite_errorname", "") in _BUSY:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def connections() -> dict[str, float]:
    """How many connections to the database there may be, are open and at work, and how many callers wait for one."""
    database: Any = User._meta.db
    if isinstance(database, MooringsSqliteClient):
        return database.storage.connections()
    pool = database._pool
    return {
        "limit": pool.get_max_size(),
        "open": pool.get_size(),
        "in use": pool.get_size() - pool.get_idle_size() - len(database.connections),
        "waiting": database.connections.waiting,
    }


class MigrationsMissing(Exception):
    """The database lacks migrations, and nothing was asked to apply them; `str()` names them."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"{len(names)} migration{'' if len(names) == 1 else 's'} of the database "
            f"{'is' if len(names) == 1 else 'are'} missing: {', '.join(names)}. `moorings migrate` applies them."
        )


class EncodingRefused(Exception):
    """The PostgreSQL database has an encoding in which not every text can be stored; `str()` says what to do."""

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"The database's encoding is {encoding}, which cannot store every text; make another with CREATE DATABASE "
            "moorings ENCODING 'UTF8' TEMPLATE template0, and move the data with pg_dump and pg_restore."
        )


async def missing_migrations(address: DatabaseAddress) -> list[str]:
    """The names of the migrations that are not applied, in their order; needs no right but to read.

    Raises `EncodingRefused`.
    """
    async with open_database(address, migrating=True):
        return await _missing()


async def require_migrated(address: DatabaseAddress) -> None:
    """Raise `MigrationsMissing` when there are some, or `EncodingRefused`."""
    if missing := await missing_migrations(address):
        raise MigrationsMissing(missing)


async def _missing() -> list[str]:
    """Those of the open database, by the files of `models/migrations`, which form one line.

    The library's own look loads every migration, which takes 20 MB of memory for good and a second, and takes any
    failure for "none is applied".
    """
    applied = await _applied()
    return [name for name in migration_names() if name not in applied]


async def applied_migrations(address: DatabaseAddress) -> set[str]:
    """The names of the migrations that are applied, also of those that only a newer version knows."""
    async with open_database(address, migrating=True):
        return await _applied()


async def _applied() -> set[str]:
    database: Any = User._meta.db
    recorded = (
        "SELECT count(*) AS found FROM sqlite_master WHERE name = 'tortoise_migrations'"
        if isinstance(database, MooringsSqliteClient)
        else "SELECT count(to_regclass('tortoise_migrations')) AS found, current_setting('server_encoding') AS encoding"
    )
    (said,) = map(dict, await database.execute_query_dict(recorded))
    if said.get("encoding", ENCODING) != ENCODING:
        raise EncodingRefused(said["encoding"])
    if not said["found"]:
        return set()
    rows = await database.execute_query_dict("SELECT name FROM tortoise_migrations WHERE app = 'models'")
    return {row["name"] for row in rows}


def migration_names() -> list[str]:
    """The names of all migrations, in their order."""
    return sorted(each.name.removesuffix(".py") for each in files(migrations).iterdir() if each.name[:4].isdigit())


async def has_tables() -> bool:
    """Whether the open PostgreSQL has the table of the users."""
    database: Any = User._meta.db
    return bool((await database.execute_query_dict("SELECT count(to_regclass('users')) AS found"))[0]["found"])


async def revise_users() -> None:
    """Raise the revision of every user, so that no response that was made before matches."""
    last = 0
    while ids := await User.filter(id__gt=last).order_by("id").limit(REVISED_AT_ONCE).values_list("id", flat=True):
        await User.filter(id__in=ids).update(revision=F("revision") + 1)
        last = int(str(ids[-1]))


async def migrate(address: DatabaseAddress) -> None:
    """Apply the migrations that are missing: all of them or none, one process at a time. Raises `EncodingRefused`.

    Where none is missing, nothing is asked of the database that needs the right to change it. The lock and the record
    of what was applied share the transaction with the change itself, so that a process killed in the middle leaves
    nothing behind and the next one finishes.
    """
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_database(address, migrating=True))
        if not await _missing():
            return
        from tortoise.migrations.executor import MigrationExecutor

        connection = await stack.enter_async_context(in_transaction())
        if address.url is not None:
            await connection.execute_query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK])
        executor = MigrationExecutor(connection, orm_config(address)["apps"])
        # Its first question, what was applied, breaks the transaction when the table of answers is not there yet.
        await executor.recorder.ensure_schema(executor._schema_editor(atomic=False))
        await executor.migrate()
