"""Looks at the database: reach, version, rights, pooler, clock, room, migrations."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from app.database import DatabaseAddress, EncodingRefused, missing_migrations
from app.doctor.finding import Finding, State, failure, ok, warning
from app.embedded_file import EmbeddedFileRefused, check_embedded_file
from models.database.faults import explain
from models.database.postgres_report import PostgresReport, notifies, report

OLDEST_VERSION = 150_000
"""PostgreSQL 15, the oldest that the project runs on its tests' behalf."""
MAX_AHEAD_S = 2.0
LISTENERS = 1
"""Connections of each worker beside its pool."""


async def look_at_database(
    address: DatabaseAddress, *, listen_url: str | None, has_own_keys: bool, workers: int
) -> list[Finding]:
    """What there is to say of the database; a database that does not exist yet is not made.

    `listen_url` is that of the connection that listens, where it has one of its own.
    """
    if address.url is not None:
        return await _postgresql(address, address.url, listen_url, workers)
    path = address.path or Path("moorings.db")
    return await _sqlite(address, path, has_own_keys)


async def _postgresql(address: DatabaseAddress, url: str, listen_url: str | None, workers: int) -> list[Finding]:
    try:
        found = await report(url)
    except Exception as error:  # noqa: BLE001 - whatever is raised is what there is to say
        return [_refused(explain(error, url=url))]
    findings = [*_of_server(found, workers, address.pool_size)]
    if not found.is_standby:
        findings.append(await _notifications(url, listen_url))
    return [*findings, await _migrations(address, may_create=found.may_create)]


async def _notifications(url: str, listen_url: str | None) -> Finding:
    try:
        do_arrive = await notifies(url, listen_url or url)
    except Exception as error:  # noqa: BLE001 - whatever is raised is what there is to say
        sentence = explain(error, url=listen_url or url).replace(
            "MOORINGS_DATABASE_URL", "MOORINGS_LISTEN_DATABASE_URL"
        )
        return warning("notifications", sentence, "Look at MOORINGS_LISTEN_DATABASE_URL.")
    if do_arrive:
        return ok("notifications", "LISTEN gets what NOTIFY sends.")
    said = "LISTEN does not get what NOTIFY sends: events of other processes come up to a second later."
    if listen_url is None:
        return warning("notifications", said, "Set MOORINGS_LISTEN_DATABASE_URL to a URL of PostgreSQL itself.")
    return warning(
        "notifications", said, "Let MOORINGS_LISTEN_DATABASE_URL lead to the same database, and through no pooler."
    )


def _of_server(found: PostgresReport, workers: int, pool_size: int) -> Iterator[Finding]:
    encrypted = "TLS" if found.is_encrypted else "no TLS"
    yield ok("database", f"PostgreSQL {found.version} answers in {found.took_s * 1000:.0f} ms, with {encrypted}.")
    if found.version_number < OLDEST_VERSION:
        yield warning("database version", f"PostgreSQL {found.version} is not tested.", "Use PostgreSQL 15 or newer.")
    if found.is_standby:
        yield failure(
            "database role",
            "This server is a standby, and takes no writes.",
            "Name the primary in MOORINGS_DATABASE_URL.",
        )
    if found.schema is None:
        yield failure("rights", "There is no schema that the user may use.", "Grant USAGE on it, or set search_path.")
    elif found.missing_rights:
        yield failure(
            "rights",
            f"The user lacks rights in {found.schema}: {'; '.join(found.missing_rights)}.",
            "Grant them, as docs/operating.md shows for a user that only serves.",
        )
    else:
        kind = "read, write and migrate" if found.may_create else "read and write; migrating needs another user"
        yield ok("rights", f"The user may {kind}, in the schema {found.schema}.")
    yield from _pooler(found)
    yield _time(found.ahead_s)
    wanted = workers * (pool_size + LISTENERS)
    said = (
        f"{found.connections} of {found.max_connections} connections are open; {workers} worker(s) use up to {wanted}."
    )
    room = found.max_connections - found.connections - wanted
    yield (
        ok("connections", said)
        if room >= 0
        else warning(
            "connections",
            said,
            "Raise max_connections, lower MOORINGS_DATABASE_POOL_SIZE or the workers, or put a pooler between.",
        )
    )


def _pooler(found: PostgresReport) -> Iterator[Finding]:
    if not found.is_pooled:
        yield ok("pooler", "The gateway is connected to PostgreSQL itself.")
        return
    if found.tracks_statements:
        yield ok("pooler", "A pooler stands before PostgreSQL, and knows prepared statements by their names.")
    else:
        yield warning(
            "pooler",
            "A pooler stands before PostgreSQL that does not know prepared statements: each is prepared every time.",
            "With PgBouncer 1.21 or newer set max_prepared_statements = 200.",
        )
    if not found.has_limits:
        yield warning(
            "time limits",
            "Sessions of the pooler have no limits of time: each statement is a transaction that brings them along.",
            "Set them for the role, as docs/high-availability.md shows.",
        )


def _time(ahead_s: float) -> Finding:
    said = f"The database's clock is {abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's."
    if abs(ahead_s) <= MAX_AHEAD_S:
        return ok("clock", said)
    return warning(
        "clock", said, "Let both machines keep their time by NTP: tokens end by the one, checks by the other."
    )


async def _sqlite(address: DatabaseAddress, path: Path, has_own_keys: bool) -> list[Finding]:
    found = _file(address, path, has_own_keys)
    return [*found, await _migrations(address, may_create=True)] if found[0].state is State.OK else found


def _file(address: DatabaseAddress, path: Path, has_own_keys: bool) -> list[Finding]:
    if not path.exists():
        made = f"{path} does not exist; the first start makes it."
        if path.parent.is_dir() and not os.access(path.parent, os.W_OK | os.X_OK):
            said = f"{path} does not exist, and this process's user may not write to {path.parent}."
            return [failure("database", said, "Change its owner, or name another in MOORINGS_DATABASE_URL.")]
        if path.parent.is_dir():
            return [warning("database", made, "Nothing, if a new, empty database is meant.")]
        return [failure("database", made, f"Make the folder {path.parent}, or name another in MOORINGS_DATABASE_URL.")]
    try:
        check_embedded_file(address, has_own_keys=has_own_keys)
        size = f"{path.stat().st_size:,} bytes"
        return [ok("database", f"SQLite {sqlite3.sqlite_version}, {path}, {size}, is sound."), _newest(path)]
    except EmbeddedFileRefused as refused:
        return [_refused(str(refused))]
    except (OSError, sqlite3.Error) as error:
        return [_refused(explain(error, path=path))]


def _newest(path: Path) -> Finding:
    """A row from the future says that the clock was set back, or is wrong now."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        newest = None
        if "audit" in tables:
            (newest,) = connection.execute("SELECT strftime('%s', max(occurred_at)) FROM audit").fetchone()
    ahead_s = 0.0 if newest is None else float(newest) - time.time()
    if ahead_s <= MAX_AHEAD_S:
        return ok("clock", "Nothing in the database is later than this machine's clock.")
    return warning(
        "clock",
        f"The audit has an entry that is {ahead_s:.0f} s in the future.",
        "Look at this machine's clock, and at NTP.",
    )


async def _migrations(address: DatabaseAddress, *, may_create: bool) -> Finding:
    try:
        missing = await missing_migrations(address)
    except EncodingRefused as refused:
        return _refused(str(refused))
    except Exception as error:  # noqa: BLE001 - whatever is raised is what there is to say
        return _refused(explain(error, path=address.path, url=address.url))
    if not missing:
        return ok("migrations", "All are applied.")
    said = f"{len(missing)} to apply: {', '.join(missing)}."
    if may_create:
        return warning("migrations", said, "The next start applies them, or `moorings migrate` now.")
    return failure("migrations", said, "Run `moorings migrate` as a user that may create tables.")


def _refused(sentence: str) -> Finding:
    """A sentence of its own that says what to do in its second half."""
    message, _, remedy = sentence.partition("; ")
    return failure("database", message, remedy[:1].upper() + remedy[1:] or "Look at MOORINGS_DATABASE_URL.")
