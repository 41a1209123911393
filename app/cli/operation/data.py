"""`moorings db backup`, `restore` and `copy`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from app import database
from app.cli.tables import print_json, with_json
from app.database import DatabaseAddress, parse_address
from app.logs import configure_logs
from app.moving.backup import back_up, back_up_keys, keys_are_in, require_known, restore
from app.moving.in_use import require_unused_file, require_unused_server
from app.moving.refused import MoveRefused
from app.settings import Settings, load_settings
from models.database.copying import CopyRefused, copy_to_postgresql
from models.database.faults import explain
from models.errors import Refusal

commands = click.Group("db", help="Backups of the gateway's own database, and its move to PostgreSQL.")


@commands.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--with-keys", metavar="FILE", type=click.Path(path_type=Path), help="Write the keys to a file of their own."
)
@with_json
def backup(file: Path, with_keys: Path | None, *, as_json: bool) -> None:
    """Write a backup to FILE, beside a running gateway.

    SQLite is copied as one state, PostgreSQL dumped by pg_dump. The keys are not in it: keep them elsewhere.
    """
    settings = _settings()
    if with_keys is not None and with_keys.exists():
        raise MoveRefused(f"{with_keys} exists; name another file.")
    back_up(settings.address, file.absolute())
    if with_keys is not None:
        back_up_keys(settings, with_keys.absolute())
    if as_json:
        print_json(
            {"file": str(file.absolute()), "bytes": file.stat().st_size, "keys": str(with_keys) if with_keys else None}
        )
    where = f"in {with_keys}" if with_keys is not None else f"not in it: they are in {keys_are_in(settings)}"
    print(f"moorings: {file} has {file.stat().st_size:,} bytes. The keys are {where}.", file=sys.stderr)


@commands.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", "replaces", is_flag=True, help="Remove what is in the database.")
@with_json
def restore_backup(file: Path, *, replaces: bool, as_json: bool) -> None:
    """Put a backup in the place of the database; stop the gateways before.

    The keys have to be those that its credentials were sealed with, or it is refused.
    """
    settings = _settings()
    asyncio.run(restore(settings, file.absolute(), replaces=replaces))
    if as_json:
        print_json({"file": str(file), "database": settings.address.engine})
    print(f"moorings: {settings.address.origin} is restored and up to date.", file=sys.stderr)


@commands.command("copy")
@click.option(
    "--to-file", metavar="FILE", required=True, type=click.Path(path_type=Path), help="Holds the URL of the PostgreSQL."
)
@with_json
def copy(to_file: Path, *, as_json: bool) -> None:
    """Copy the embedded database into an empty PostgreSQL, and compare every row; stop the gateway before.

    The URL comes from a file, for the arguments of a command can be read by every user of the machine.
    """
    settings = _settings()
    if settings.address.path is None:
        raise MoveRefused("MOORINGS_DATABASE_URL has to name the embedded database, which is copied from.")
    if not settings.address.path.exists():
        raise MoveRefused(f"There is no database {settings.address.path}.")
    target = _target(to_file)
    counts = asyncio.run(_copy(settings, settings.address.path, target))
    if as_json:
        print_json(counts)
    print(
        f"moorings: {sum(counts.values()):,} rows of {len(counts)} tables are copied, and each was compared. Set "
        f"MOORINGS_DATABASE_URL_FILE={to_file}; the keys are those in {keys_are_in(settings)}, which "
        "MOORINGS_SECRET_KEYS_FILE may name.",
        file=sys.stderr,
    )


def _target(file: Path) -> str:
    try:
        url = file.read_text().strip()
        if parse_address(url).url is None:
            raise ValueError
    except (OSError, ValueError):
        raise MoveRefused(f"{file} has to hold a URL such as postgresql://user:password@host/database.") from None
    return url


async def _copy(settings: Settings, path: Path, url: str) -> dict[str, int]:
    require_unused_file(path)
    await database.migrate(settings.address)
    await _require_known(settings.address, "The source")
    target = parse_address(url)
    try:
        await require_unused_server(url, "The target")
        await database.migrate(target)
        await _require_known(target, "The target")
        return await copy_to_postgresql(path, url)
    except (Refusal, database.EncodingRefused):
        raise
    except CopyRefused as refused:
        raise MoveRefused(str(refused)) from refused
    except Exception as error:
        sentence = explain(error, url=url)
        raise MoveRefused(sentence.replace("The database", "The target", 1)) from error


async def _require_known(address: DatabaseAddress, what: str) -> None:
    require_known(await database.applied_migrations(address), what)


def _settings() -> Settings:
    settings = load_settings()
    configure_logs("WARNING", settings.log_format)
    return settings
