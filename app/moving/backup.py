"""Makes a backup of the database, online: SQLite by its backup API, PostgreSQL by `pg_dump`; and puts one back.

The keys are never in it. Without them no credentials in it can be read, and with them alone nothing.
"""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO
from urllib.parse import parse_qsl, unquote, urlsplit

from app.database import (
    DatabaseAddress,
    applied_migrations,
    has_tables,
    migrate,
    migration_names,
    open_database,
    revise_users,
)
from app.embedded_file import KEY_FILE_NAME
from app.moving.dump import TABLES, DumpContents, contents_of
from app.moving.in_use import require_unused_file, require_unused_server
from app.moving.refused import MoveRefused
from app.secret_keys import vault_of, verified_vault
from app.settings import Settings, child_environment
from models.database.pooled_connections import UNAVAILABLE
from models.destinations.key_rotation import compare, key_ids
from models.errors import DatabaseUnavailable

_PAGES = 1_000
"""Of a step of SQLite's backup; between two steps others may write."""
_LIBPQ = {
    "application_name": "PGAPPNAME",
    "dbname": "PGDATABASE",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "channel_binding": "PGCHANNELBINDING",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
}
"""Parameters of a URL whose variable is not PG and their name."""
_TOOL_S = 24 * 3600


def back_up(address: DatabaseAddress, file: Path) -> None:
    """Write a backup to a file that does not exist, whole or not at all, readable by its owner alone."""
    if file.exists():
        raise MoveRefused(f"{file} exists; name another file.")
    with _whole(file) as temporary:
        if address.path is not None:
            _copy_sqlite(address.path, temporary, place=file.parent)
        else:
            _tool(
                "pg_dump", address.url or "", "--format=custom", "--no-owner", "--no-privileges", f"--file={temporary}"
            )


async def restore(settings: Settings, file: Path, *, replaces: bool) -> None:
    """Put a backup in the place of the database, which must be empty or is to be replaced; migrate it.

    Every user's revision is raised, so that no response of the time before matches.
    """
    address = settings.address
    _require_file(file)
    if address.path is not None:
        await _restore_sqlite(settings, address.path, file, replaces=replaces)
        return
    url = address.url or ""
    await _require_fitting(settings, _contents_of(file))
    try:
        await require_unused_server(url, "The database")
    except (*UNAVAILABLE, ValueError, OverflowError) as error:  # the last two: a URL that asyncpg cannot read
        raise DatabaseUnavailable from error
    await applied_migrations(address)  # raises `EncodingRefused`, before anything is replaced
    if not replaces and await _has_tables(address):
        raise MoveRefused("The database has tables already; --replace removes them first.")
    cleaning = ("--clean", "--if-exists") if replaces else ()
    options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", *cleaning)
    _tool("pg_restore", url, *options, f"--dbname={_dbname(url)}", str(file))
    await _finish(settings)


def _contents_of(file: Path) -> DumpContents:
    """What a dump has, without a server; raises `MoveRefused` for a file that is none."""
    tables = (f"--table={table}" for table in TABLES)
    # Read as it is printed: the rows may be more than a disk for temporary files has room for. A dump may be in another
    # encoding, of which nothing is looked at but ASCII.
    with _running("pg_restore", "", "--data-only", *tables, "--file=-", str(file)) as printed:
        return contents_of(io.TextIOWrapper(printed, encoding="utf-8", errors="replace", newline="\n"))


async def _require_fitting(settings: Settings, contents: DumpContents) -> None:
    """Before a dump replaces anything: it is of a version that this one knows, and the keys are those it needs."""
    if not contents.migrations:
        raise MoveRefused("It is no backup of Moorings.")
    require_known(contents.migrations, "The backup")
    if contents.key_ids:
        compare(await vault_of(settings), contents.key_ids, contents.proofs)


def require_known(migrations: Collection[str], what: str) -> None:
    """Raise `MoveRefused` for what a newer version has made, which this one would not keep whole."""
    if unknown := sorted(set(migrations) - set(migration_names())):
        raise MoveRefused(
            f"{what} is of a newer version of Moorings ({', '.join(unknown)} is unknown here); upgrade first."
        )


async def _restore_sqlite(settings: Settings, path: Path, file: Path, *, replaces: bool) -> None:
    if _has_content(path) and not replaces:
        raise MoveRefused(f"{path} exists; --replace puts the backup in its place.")
    place = _behind_links(path)
    if _has_content(place):
        require_unused_file(place)
    with _whole(place, replaces=True) as temporary:
        require_known(_copy_sqlite(file, temporary, place=place.parent), str(file))
        await _finish(replace(settings, database_url=f"sqlite:///{temporary}"), keys_beside=path)
        if _has_content(place):
            require_unused_file(place)  # a gateway may have begun meanwhile
        _leave_one_file(temporary, place)


def _behind_links(path: Path) -> Path:
    """The file itself: a link to it stays one."""
    return path.resolve()


def _require_file(file: Path) -> None:
    if not file.is_file():
        raise MoveRefused(f"There is no file {file}.")


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _leave_one_file(restored: Path, path: Path) -> None:
    """Before the restored file gets its name: nothing of it is in a file beside it, and no other's file waits there."""
    with closing(sqlite3.connect(restored)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


async def _finish(settings: Settings, *, keys_beside: Path | None = None) -> None:
    """Migrate, hold the keys against the data, and raise the revisions."""
    await migrate(settings.address)
    async with open_database(settings.address):
        if await key_ids():
            with _key_file_of(settings, keys_beside):
                await verified_vault(settings)
        await revise_users()


@contextmanager
def _key_file_of(settings: Settings, path: Path | None) -> Iterator[None]:
    """While a database is not in its place yet, its keys are those beside that place."""
    if path is None or settings.secret_keys is not None or settings.address.path is None:
        yield
        return
    ours, theirs = settings.address.path.with_name(KEY_FILE_NAME), path.with_name(KEY_FILE_NAME)
    if ours != theirs and theirs.exists():
        shutil.copyfile(theirs, ours)
    try:
        yield
    finally:
        if ours != theirs:
            ours.unlink(missing_ok=True)


def keys_are_in(settings: Settings) -> str:
    """Where the keys are, in a sentence for the operator."""
    if settings.secret_keys is not None:
        return "MOORINGS_SECRET_KEYS" + (", wrapped by MOORINGS_KEY_SERVICE" if settings.key_service else "")
    path = settings.address.path or Path("moorings.db")
    return str(path.with_name(KEY_FILE_NAME))


def back_up_keys(settings: Settings, file: Path) -> None:
    """Write the keys, as they are kept, to a file that does not exist, readable by its owner alone."""
    if settings.secret_keys is not None:
        text = settings.secret_keys.reveal()
    else:
        path = Path(keys_are_in(settings))
        if not path.exists():
            raise MoveRefused(f"There are no keys yet: {path} does not exist.")
        text = path.read_text()
    if file.exists():
        raise MoveRefused(f"{file} exists; name another file.")
    with _whole(file) as temporary:
        temporary.write_text(text.strip() + "\n")


@contextmanager
def _whole(file: Path, *, replaces: bool = False) -> Iterator[Path]:
    """A temporary file beside `file` that gets its name, and is on disk, when it is complete."""
    try:
        folder = Path(tempfile.mkdtemp(dir=file.parent, prefix=f".{file.name}."))
    except OSError as error:
        raise MoveRefused(f"{file.parent} cannot hold the file: {error.strerror}.") from error
    temporary = folder / file.name
    try:
        temporary.touch(0o600)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        if replaces:
            _keep_owner(temporary, file)
            temporary.replace(file)
        else:
            os.link(temporary, file)
        descriptor = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except FileExistsError as error:
        raise MoveRefused(f"{file} exists; name another file.") from error
    except OSError as error:
        raise MoveRefused(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _keep_owner(temporary: Path, file: Path) -> None:
    """Give the new file the owner of the one that it replaces: root may restore what another user serves."""
    with suppress(FileNotFoundError, PermissionError):
        before = file.stat()
        os.chown(temporary, before.st_uid, before.st_gid)


def _copy_sqlite(source: Path, target: Path, *, place: Path) -> list[str]:
    """Copy by the backup API, which sees one state of the source beside its writers; then check the copy.

    `place` is the folder that is written to. Returns the names of the migrations.
    """
    if not source.exists():
        raise MoveRefused(f"There is no database {source}.")
    names = list[str]()
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing, pages=_PAGES)
            writing.execute("PRAGMA journal_mode = DELETE")
            (found,) = writing.execute("PRAGMA quick_check(1)").fetchone()
            tables = {name for (name,) in writing.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if {"users", "tortoise_migrations"} <= tables:
                names = [
                    name for (name,) in writing.execute("SELECT name FROM tortoise_migrations WHERE app = 'models'")
                ]
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "SQLite")
        why = _why(getattr(error, "sqlite_errorcode", 0) & 0xFF, place)
        raise MoveRefused(f"{source} cannot be copied ({name}): {why}.") from error
    if found != "ok":
        raise MoveRefused(f"{source} is damaged ({' '.join(str(found).split())}).")
    if not names:
        raise MoveRefused(f"{source} is not a database of Moorings.")
    return names


def _why(code: int, place: Path) -> str:
    """What an error of SQLite means for a copy into a folder, and what to do."""
    match code:
        case sqlite3.SQLITE_FULL:
            return f"the disk of {place} is full; make room, or name another place"
        case sqlite3.SQLITE_IOERR:
            return f"the disk reports errors, or that of {place} is full; look at the log of the system"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return "it is damaged, or no database; take another backup"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another process keeps it locked; look which one has it open"
        case _:
            return "this process's user may not read it, or not write to its folder; look at their owners"


async def _has_tables(address: DatabaseAddress) -> bool:
    async with open_database(address):
        return await has_tables()


def _tool(name: str, url: str, *options: str) -> None:
    """Run a program of PostgreSQL that prints nothing; raises `MoveRefused` when it fails."""
    with _running(name, url, *options) as printed:
        printed.read()


@contextmanager
def _running(name: str, url: str, *options: str) -> Iterator[IO[bytes]]:
    """What a program of PostgreSQL prints, read to its end within the block; raises `MoveRefused` when it fails.

    The URL goes by the environment, for every user can read a process's arguments.
    """
    program = shutil.which(name)
    if program is None:
        raise MoveRefused(f"{name} is not installed; it comes with PostgreSQL's client (postgresql-client on Debian).")
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(  # noqa: S603 - found above
            [program, *options],
            env=child_environment(libpq_variables(url)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield process.stdout
            process.wait(_TOOL_S)
        except BaseException:
            process.kill()
            raise
        complaints.seek(0)
        said = complaints.read(64_000).decode(errors="replace")
    if process.returncode != 0:
        said = " ".join(said.split())[:500]
        if "server version mismatch" in said or "unsupported version" in said:
            said += f". Put the {name} of the server's version, or of a newer one, first on the PATH"
        elif "does not appear to be" in said:
            said += ". Name a file that `moorings db backup` made of PostgreSQL"
        elif any(sign in said for sign in ("permission denied", "must be owner", "may lack SELECT")):
            said += ". Use a URL of the user that migrates, who owns the tables"
        password = unquote(urlsplit(url).password or "")
        raise MoveRefused(f"{name} failed: {said.replace(password, '…') if password else said}")


def libpq_variables(url: str) -> dict[str, str]:
    """The variables by which libpq reads what a URL says."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    hosts = [host for host in parts.netloc.rpartition("@")[2].split(",") if host]
    found = {f"PG{name.upper()}": value for name, value in given.items() if name not in _LIBPQ}
    found |= {_LIBPQ[name]: value for name, value in given.items() if name in _LIBPQ}
    if hosts:
        found["PGHOST"] = ",".join(_split(host)[0] for host in hosts)
        found["PGPORT"] = ",".join(_split(host)[1] for host in hosts)
    if len(hosts) > 1:  # the primary among them, as the gateway has it
        found.setdefault("PGTARGETSESSIONATTRS", "read-write")
    for variable, value in (("PGUSER", parts.username), ("PGPASSWORD", parts.password)):
        if value:
            found[variable] = unquote(value)
    if parts.path.strip("/"):
        found["PGDATABASE"] = unquote(parts.path.strip("/"))
    return found


def _split(host: str) -> tuple[str, str]:
    name, separator, port = host.rpartition(":")
    if not separator or "]" in port:
        return host.strip("[]"), "5432"
    return name.strip("[]"), port or "5432"


def _dbname(url: str) -> str:
    """What pg_restore gets of the URL: the name of the database alone."""
    found = libpq_variables(url)
    with suppress(KeyError):
        return found["PGDATABASE"]
    return found.get("PGUSER", "")
