"""`moorings import vanguard`: takes the users, tokens and destinations of a Vanguard application over."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
import orjson

from app.cli.session import with_database
from app.cli.tables import print_table, printable
from app.cli.vanguard.comparing import read_tokens, run_comparison
from app.cli.vanguard.laravel_environment import env_file_option, laravel_environment, laravel_keys, time_zone
from app.cli.vanguard.sources import FORMS, open_source, require_source
from app.first_run import FIRST_EMAIL
from app.secret_keys import open_vault
from app.settings import Settings
from models.clock import current_second
from models.imported_row import TOKENS
from models.reads.reads import IMPORTED_TOKENS_LOOK_S
from models.takeover.decisions import Options
from models.takeover.importing import Mode, import_all
from models.takeover.laravel import LaravelKeys
from models.takeover.report import Report
from models.takeover.source_rows import TABLES

commands = click.Group("import", help="Take the data of another application over.")


@commands.command("vanguard")
@click.argument("source", required=False, help=f"Its database: {FORMS}.")
@env_file_option
@click.option("--dry-run", is_flag=True, help="Print the report, and change nothing.")
@click.option("--sync", is_flag=True, help="Take over what has changed there since the last run, too.")
@click.option("--prune", is_flag=True, help="With --sync: end here what is gone there.")
@click.option(
    "--prune-all", is_flag=True, help="As --prune, even where a table is empty there or lost most of its rows."
)
@click.option("--assume-https", is_flag=True, help="Put https:// before endpoints that have no scheme.")
@click.option(
    "--suspended",
    type=click.Choice(["disable", "keep"]),
    default="disable",
    show_default=True,
    help="Whether users that are suspended there are disabled here, or keep the use of their tokens.",
)
@click.option("--timezone", metavar="ZONE", help="The zone of its timestamps; APP_TIMEZONE, or UTC, by default.")
@click.option(
    "--compare", metavar="URL", help="Import nothing, and need no SOURCE: compare that service with this gateway."
)
@click.option(
    "--tokens",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="With --compare: the tokens to ask both with, one a line; - is the input.",
)
@click.option(
    "--gateway", metavar="URL", default="http://127.0.0.1:8000", show_default=True, help="With --compare: this gateway."
)
@click.option("--no-check", is_flag=True, help="With --compare: leave the checks of all stores out.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON for machines.")
def vanguard(
    source: str | None,
    env_file: Path | None,
    dry_run: bool,
    sync: bool,
    prune: bool,
    prune_all: bool,
    assume_https: bool,
    suspended: str,
    timezone: str | None,
    compare: str | None,
    tokens: Path | None,
    gateway: str,
    no_check: bool,
    as_json: bool,
) -> None:
    """Import a Vanguard database: users, tokens and destinations with their ids, in one transaction.

    Its APP_KEY, which opens the credentials, comes from the environment or from --env-file. Works beside a running
    gateway, and a second run changes nothing. Exits with 1 when a row was refused; all others are imported.
    """
    if compare is not None:
        run_comparison(compare, gateway, read_tokens(tokens), has_checks=not no_check, as_json=as_json)
        return
    if source is None:
        raise click.UsageError(f"Name a SOURCE: {FORMS}.")
    if (prune or prune_all) and not sync:
        raise click.UsageError("--prune and --prune-all go with --sync.")
    require_source(source)
    variables = laravel_environment(env_file)
    keys = laravel_keys(variables)
    options = Options(
        zone=time_zone(timezone or variables.get("APP_TIMEZONE") or "UTC"),
        now=current_second(),
        assume_https=assume_https,
        disable_suspended=suspended == "disable",
    )
    mode = Mode(
        is_dry=dry_run,
        is_sync=sync,
        is_pruning=prune or prune_all,
        is_pruning_all=prune_all,
        first_user=FIRST_EMAIL,
    )
    report = with_database(
        lambda settings: _import(settings, source, keys, options, mode), is_audited=False, is_dry=dry_run
    )
    print(_json(report)) if as_json else _show(report)
    if not report.is_clean:
        sys.exit(1)


async def _import(settings: Settings, source: str, keys: LaravelKeys, options: Options, mode: Mode) -> Report:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    async with open_source(source) as opened:
        vault = None if mode.is_dry else await open_vault(settings)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
            tasks = {table: progress.add_task(table, total=await opened.count(table)) for table in TABLES}
            report = await import_all(
                opened, keys, vault, options, mode, advance=lambda table, n: progress.advance(tasks[table], n)
            )
    if report.counts[TOKENS].added and not mode.is_dry:
        await asyncio.sleep(IMPORTED_TOKENS_LOOK_S * 1.5)  # so that every worker knows of the first ones by now
    return report


def _show(report: Report) -> None:
    from rich.table import Table

    table = Table("Table", "Read", "Added", "Changed", "Unchanged", "Removed", "Refused")
    for name, counts in report.counts.items():
        numbers = (counts.read, counts.added, counts.changed, counts.unchanged, counts.removed, counts.refused)
        table.add_row(name, *map(str, numbers))
    print_table(table)
    for each in report.sorted_findings():
        print(f"{each.table} {each.id}: {'REFUSED: ' if each.is_refused else ''}{printable(each.sentence)}")
    if report.is_dry:
        print("moorings: nothing was changed: this was a dry run.", file=sys.stderr)


def _json(report: Report) -> str:
    shown = {
        "dryRun": report.is_dry,
        "tables": {
            name: {
                "read": counts.read,
                "added": counts.added,
                "changed": counts.changed,
                "unchanged": counts.unchanged,
                "removed": counts.removed,
                "refused": counts.refused,
            }
            for name, counts in report.counts.items()
        },
        "findings": [
            {
                "table": each.table,
                "id": each.id,
                "decision": "refused" if each.is_refused else "taken",
                "code": each.code,
                "message": each.sentence,
            }
            for each in report.sorted_findings()
        ],
    }
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()
