"""`moorings export vanguard`: keeps the table of a Vanguard application true whose jobs still read it."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

import click
import orjson

from app.cli.session import with_database
from app.cli.vanguard.laravel_environment import env_file_option, laravel_environment, laravel_keys, time_zone
from app.cli.vanguard.sources import require_source
from app.database import parse_address
from app.secret_keys import open_vault
from app.settings import Settings
from models.takeover.exporting import DestinationTable, ExportReport, export_all, require_imported_key
from models.takeover.sources.mysql_statements import MysqlStatements
from models.takeover.sources.postgresql_table import open_postgresql_table
from models.takeover.sources.sqlite_table import open_sqlite_table

commands = click.Group("export", help="Give data back to another application.")


@commands.command("vanguard")
@click.argument("source", required=False)
@click.option("--sql", metavar="FILE", help="Instead of a SOURCE: write statements for MySQL; - is the output.")
@env_file_option
@click.option("--dry-run", is_flag=True, help="Say what would be written, and change nothing.")
@click.option("--all", "everything", is_flag=True, help="Write every destination, not those alone that have changed.")
@click.option("--timezone", metavar="ZONE", help="The zone of its timestamps; APP_TIMEZONE, or UTC, by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON for machines.")
def vanguard(
    source: str | None,
    sql: str | None,
    env_file: Path | None,
    dry_run: bool,
    everything: bool,
    timezone: str | None,
    as_json: bool,
) -> None:
    """Write the destinations that have changed here since the last run into the table of a Vanguard application.

    SOURCE is its database, sqlite:///path or postgresql://user@host/database. Credentials are sealed with its APP_KEY,
    which comes from the environment or from --env-file; without a key nothing is exported. Exits with 1 when a
    destination was refused.
    """
    if (source is None) == (sql is None):
        raise click.UsageError("Name a SOURCE, or --sql with a file.")
    if source is not None:
        require_source(source)
        if "://" not in source:
            raise click.UsageError("A folder cannot be written; --sql makes statements for MySQL.")
    variables = laravel_environment(env_file)
    keys = laravel_keys(variables)
    zone = time_zone(timezone or variables.get("APP_TIMEZONE") or "UTC")

    async def act(settings: Settings) -> ExportReport:
        vault = await open_vault(settings)
        if sql is not None:
            await require_imported_key(keys)
        async with opened_table(source, sql, is_dry=dry_run) as table:
            return await export_all(table, keys, vault, zone, everything=everything, is_dry=dry_run)

    report = with_database(act, is_audited=not dry_run)
    (_print_json if as_json else _show)(report, sys.stderr if sql == "-" else sys.stdout)
    if report.refused:
        sys.exit(1)


@asynccontextmanager
async def opened_table(source: str | None, sql: str | None, *, is_dry: bool = False) -> AsyncIterator[DestinationTable]:
    """The table to write, or the file of statements, which its owner alone can read; raises `SourceRefused`.

    A dry run needs the table to judge the rows, but makes no file.
    """
    if sql is not None and is_dry:
        yield MysqlStatements(io.StringIO())
    elif sql == "-":
        yield MysqlStatements(sys.stdout)
    elif sql is not None:
        try:
            descriptor = os.open(sql, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise click.UsageError(f"{sql} cannot be written.") from error
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield MysqlStatements(file)
    else:
        address = parse_address(str(source))
        if address.path is not None:
            with open_sqlite_table(address.path) as sqlite:
                yield sqlite
        else:
            async with open_postgresql_table(str(source)) as postgresql:
                yield postgresql


def _show(report: ExportReport, to: TextIO) -> None:
    verb = "would be " if report.is_dry else ""
    for word, ids in (("written", report.written), ("removed", report.removed)):
        print(f"{len(ids)} {verb}{word}{': ' if ids else ''}{' '.join(map(str, ids))}", file=to)
    for id_, sentence in report.refused.items():
        print(f"backup_destinations {id_}: REFUSED: {sentence}", file=to)


def _print_json(report: ExportReport, to: TextIO) -> None:
    shown = {
        "dryRun": report.is_dry,
        "written": report.written,
        "removed": report.removed,
        "refused": [{"id": id_, "message": sentence} for id_, sentence in report.refused.items()],
    }
    print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode(), file=to)
