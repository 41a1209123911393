"""Says why the database cannot be used: which of host, port, password, name, TLS, rights, folder or pooler it is.

A sentence names the class of the error, and the host and port of the URL where that could be read; never a password,
nor the text of an error, which may hold values.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import sqlite3
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")


def explain(error: BaseException, *, path: Path | None = None, url: str | None = None) -> str:
    """One sentence on what is wrong with the database at this path or URL, and what to change; no full stop inside.

    `error` is what was raised when it was opened or used; its causes say more than it does.
    """
    causes = list(_chain(error))
    if url is not None:
        return _with_class(_postgresql(causes, where(url), url), causes)
    return _with_class(_sqlite(causes, Path("moorings.db") if path is None else path), causes)


def where(url: str) -> str:
    """Host and port of a URL, as far as they can be told apart from a password in it."""
    unreadable = "the server of MOORINGS_DATABASE_URL"
    try:
        parts = urlsplit(url)
    except ValueError:
        return unreadable
    hosts = parts.netloc.rpartition("@")[2] or ",".join(parse_qs(parts.query).get("host", []))
    if not hosts or hosts.startswith("/"):
        return f"the socket in {hosts or 'the default folder'}"
    found = [_HOST.fullmatch(host) for host in hosts.split(",")]
    if "@" in parts.path or "@" in parts.query or "@" in parts.fragment or None in found:
        return unreadable
    return ", ".join(f"{host[1]}:{host[2] or 5432}" for host in found if host is not None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes, the first cause last."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


_NAMED = asyncpg.PostgresError | OSError | sqlite3.Error | asyncpg.InterfaceError | ValueError | OverflowError
"""The errors whose class is said."""


def _with_class(sentence: str, causes: list[BaseException]) -> str:
    for cause in reversed(causes):
        if isinstance(cause, _NAMED):
            name = getattr(cause, "sqlite_errorname", None) or type(cause).__name__
            return f"The database cannot be used: {sentence} ({name})."
    return f"The database cannot be used: {sentence}."


def _postgresql(causes: list[BaseException], at: str, url: str) -> str:
    for cause in reversed(causes):
        for kinds, needle, sentence in _OF_POSTGRESQL:
            if isinstance(cause, kinds) and needle in str(cause):
                hint = "; a password with / ? # @ or % is written percent-encoded" if "@" in url else ""
                missing = _NO_SOCKET if at.startswith("the socket") else _NO_TLS_FILE
                return sentence.format(at=at, hint=hint, missing=missing.format(at=at))
    return f"{at} does not answer; MOORINGS_DATABASE_URL says where it is"


_NO_SOCKET = "nothing listens at {at}; look at host= in the URL, and whether the server runs"
_NO_TLS_FILE = "a file that sslrootcert=, sslcert= or sslkey= in the URL names for TLS with {at} does not exist"
"""What a file that is not there means, without and with a host in the URL."""
_OF_POSTGRESQL: tuple[tuple[type[BaseException], str, str], ...] = (
    (asyncpg.InvalidPasswordError, "", "{at} refuses the user or the password; look at both in the URL"),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "no encryption",
        "{at} has no entry in pg_hba.conf for this user, database and address without TLS; try sslmode=require",
    ),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "pg_hba.conf",
        "{at} has no entry in pg_hba.conf that lets this user from this address into this database",
    ),
    (asyncpg.InvalidAuthorizationSpecificationError, "", "{at} does not know the user; look at the user in the URL"),
    (
        asyncpg.InvalidCatalogNameError,
        "",
        "{at} has no database of this name; look at the end of the URL, or make it with CREATE DATABASE",
    ),
    (
        asyncpg.ProtocolViolationError,
        "startup parameter",
        "a pooler at {at} refuses what is asked of a new connection; with PgBouncer set ignore_startup_parameters = "
        "statement_timeout, lock_timeout, idle_in_transaction_session_timeout",
    ),
    (
        asyncpg.ProtocolViolationError,
        "",
        "a pooler at {at} refuses the connection; look at its log and its list of databases",
    ),
    (
        asyncpg.InvalidSQLStatementNameError,
        "",
        "a pooler at {at} mixes up prepared statements; it has to be PgBouncer 1.21 or newer",
    ),
    (
        asyncpg.DuplicatePreparedStatementError,
        "",
        "a pooler at {at} mixes up prepared statements; it has to be PgBouncer 1.21 or newer",
    ),
    (
        asyncpg.InsufficientPrivilegeError,
        "",
        "the user in the URL lacks rights at {at}; to migrate it needs CREATE on its schema, to serve the rights that "
        "docs/operating.md lists",
    ),
    (
        asyncpg.InvalidSchemaNameError,
        "",
        "there is no schema at {at} that the user may use; look at search_path and USAGE",
    ),
    (
        asyncpg.TooManyConnectionsError,
        "",
        "{at} has no connection left; raise max_connections, or start fewer workers",
    ),
    (
        asyncpg.CannotConnectNowError,
        "",
        "{at} is starting, stopping or recovering; try again when it is ready",
    ),
    (
        asyncpg.ReadOnlySQLTransactionError,
        "",
        "{at} is a standby or read-only; name the primary, or add target_session_attrs=primary",
    ),
    (asyncpg.UndefinedTableError, "", "{at} lacks a table; run `moorings migrate`"),
    (
        asyncpg.ConnectionDoesNotExistError,
        "",
        "{at} ends connections at once; look whether it is PostgreSQL that listens there, and at its log",
    ),
    (asyncpg.PostgresError, "", "{at} refuses; its log says why"),
    (
        ssl.SSLCertVerificationError,
        "",
        "{at} shows a TLS certificate that is not trusted; name its authority with sslrootcert= in the URL",
    ),
    (ssl.SSLError, "", "TLS with {at} fails; look at sslmode= in the URL and at the server's certificate"),
    (
        socket.gaierror,
        "",
        "the host name in {at} does not resolve; look at the host in the URL, and at the name servers",
    ),
    (
        ConnectionRefusedError,
        "",
        "nothing listens at {at}; look at host and port in the URL, and whether the server runs",
    ),
    (FileNotFoundError, "", "{missing}"),
    (ConnectionError, "SSL", "{at} does not speak TLS, and sslmode= in the URL asks for it"),
    (
        ConnectionError,
        "",
        "{at} ends connections at once; look whether it is PostgreSQL that listens there, and at its log",
    ),
    (
        TimeoutError,
        "",
        "{at} does not answer in time; look at host and port, at firewalls, and whether the server hangs",
    ),
    (OverflowError, "", "the port of {at} is none; look at the port in MOORINGS_DATABASE_URL"),
    (OSError, "", "{at} cannot be reached; look at host and port, and at the network of this machine"),
    (
        ValueError,
        "sslmode",
        "sslmode= in MOORINGS_DATABASE_URL is none that there is; such are disable, require and verify-full",
    ),
    (ValueError, "", "the URL in MOORINGS_DATABASE_URL cannot be read{hint}"),
    (
        asyncpg.TargetServerAttributeNotMatched,
        "",
        "no server of {at} that answers is what target_session_attrs asks for; look which one is the primary",
    ),
    (
        asyncpg.InternalClientError,
        "",
        "what listens at {at} does not speak as PostgreSQL does; look at the port in the URL",
    ),
    (
        asyncpg.InterfaceError,
        "",
        "what listens at {at} does not speak as PostgreSQL does, or ended the connection; look at the port in the URL",
    ),
)
"""What an error means: its class, a part of its text, and the sentence; the first that fits counts."""


def _sqlite(causes: list[BaseException], path: Path) -> str:
    for cause in reversed(causes):
        if isinstance(cause, OSError):
            return _errno(cause.errno, path)
        if isinstance(cause, sqlite3.Error):
            return _sqlite_code(getattr(cause, "sqlite_errorcode", 0) & 0xFF, path)
    return f"{path} cannot be read or written; MOORINGS_DATABASE_URL says where it is"


def _errno(number: int | None, path: Path) -> str:
    match number:
        case errno.ENOENT:
            return f"the folder {path.parent} does not exist; make it, or name another in MOORINGS_DATABASE_URL"
        case errno.ENOTDIR:
            return f"{path.parent} is no folder; name another in MOORINGS_DATABASE_URL"
        case errno.EISDIR:
            return f"{path} is a folder; name a file in MOORINGS_DATABASE_URL"
        case errno.EACCES | errno.EPERM:
            return f"this process's user may not write to {path} and its folder; change their owner"
        case errno.EROFS:
            return f"{path} is on a read-only file system"
        case errno.ENOSPC | errno.EDQUOT:
            return f"the disk of {path} is full; make room"
        case _:
            return f"{path} cannot be opened"


def _sqlite_code(code: int, path: Path) -> str:
    match code:
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return f"{path} is not a database, or damaged; put a backup back"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another process keeps {path} locked; look which one has it open"
        case sqlite3.SQLITE_FULL:
            return f"the disk of {path} is full; make room"
        case sqlite3.SQLITE_IOERR:
            return f"the disk of {path} reports errors, or is full; look at the log of the system"
        case sqlite3.SQLITE_READONLY:
            return f"this process's user may not write to {path} and its folder; change their owner"
        case _ if path.is_dir():
            return f"{path} is a folder; name a file in MOORINGS_DATABASE_URL"
        case _ if not path.parent.is_dir():
            return f"the folder {path.parent} does not exist; make it, or name another in MOORINGS_DATABASE_URL"
        case _ if not os.access(path.parent, os.W_OK | os.X_OK):
            return f"this process's user may not write to {path} and its folder; change their owner"
        case _:
            return f"{path} cannot be opened"


def is_fault(error: BaseException) -> bool:
    """Whether an error that no other rule translates is about the set-up of the database: rights, schema, tables."""
    wanted = asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError, asyncpg.UndefinedTableError
    return any(isinstance(cause, wanted) for cause in _chain(error))
