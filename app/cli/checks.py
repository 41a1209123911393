"""`moorings check`: checks destinations and prints a table, or JSON for machines."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import click
import orjson

from app.check_scheduler import LazyProber
from app.cli.session import with_database
from app.cli.tables import print_table, printable
from app.secret_keys import open_vault
from app.settings import Settings
from models.accounts.accounts import parse_duration
from models.accounts.viewer import Protocol, on_behalf_of
from models.background import run_concurrently
from models.checks.checks import MAX_RUNNING, Checks
from models.checks.report import CheckReport, CheckStep
from models.checks.selection import Selection, Target
from models.errors import DestinationNotFound
from models.events.event_stream import EventStreams
from models.reads.reads import Reads
from schema.types.ids import check_id

UNREACHABLE = 3
"""The exit status when a destination is unreachable; 1 is a refusal, 2 bad usage."""


class Outcome(NamedTuple):
    """A destination and its report; None when another process checks it, or it was deleted."""

    target: Target
    report: CheckReport | None


@click.command()
@click.argument("ids", metavar="[ID]...", type=int, nargs=-1, help="Destinations by their id.")
@click.option("--all", "everything", is_flag=True, help="Every destination with a store.")
@click.option("--stale", metavar="6h", help="Those not checked for so long.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array for machines.")
def check(ids: tuple[int, ...], everything: bool, stale: str | None, as_json: bool) -> None:
    """Check destinations with the rights a backup needs.

    Exits with 0 when all of them are reachable, with 3 when one is not, and with 1 when the command was refused.
    """
    if bool(ids) == everything and (ids or stale is None):
        raise click.BadParameter("name destinations by id, or give --all, or --stale with a duration")
    selection = Selection(ids=ids, stale=None if stale is None else parse_duration(stale))
    outcomes = with_database(lambda settings: check_selection(settings, selection))
    print(_json(outcomes)) if as_json else _show(outcomes)
    if any(outcome.report is not None and not outcome.report.reachable for outcome in outcomes):
        sys.exit(UNREACHABLE)


async def check_selection(settings: Settings, selection: Selection) -> list[Outcome]:
    """Check destinations, with a progress bar; raises as `Selection.require` does."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    await selection.require()
    vault, prober = await open_vault(settings), LazyProber(settings.address_policy, settings.s3_ca_file)
    checks = Checks(vault, prober, EventStreams(Reads()), count=_uncounted, outcomes=Counter())
    columns = (TextColumn("Checking"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("check", total=await selection.count())
        outcomes = await _all(checks, selection.targets(), lambda: progress.advance(task))
    return sorted(outcomes)


async def _uncounted(_user_id: int) -> None:
    """The operator's checks are not limited."""


async def _all(checks: Checks, targets: AsyncIterator[Target], advance: Callable[[], None]) -> list[Outcome]:
    """Check them, as many at once as one process may."""
    outcomes: list[Outcome] = []
    turn = asyncio.Lock()

    async def check_in_turn() -> None:
        while True:
            async with turn:
                target = await anext(targets, None)
            if target is None:
                return
            try:
                report = await checks.recheck(target.id, on_behalf_of(target.user_id, Protocol.COMMAND_LINE))
            except DestinationNotFound:
                report = None
            outcomes.append(Outcome(target, report))
            advance()

    await run_concurrently(check_in_turn, MAX_RUNNING)
    return outcomes


def _show(outcomes: list[Outcome]) -> None:
    from rich.table import Column, Table

    whole = (Column(name, no_wrap=True) for name in ("ID", "Outcome", "Step", "Code"))
    table = Table(*whole, Column("Label", overflow="fold"), Column("What to do", overflow="fold", ratio=1))
    for target, report in outcomes:
        outcome, step, code, remedy = _cells(report)
        table.add_row(str(target.id), outcome, step, code, printable(target.label), remedy)
    print_table(table)


def _cells(report: CheckReport | None) -> tuple[str, str, str, str]:
    if report is None:
        return "skipped", "", "", "Another process checks it, or it is gone."
    failed = failed_step(report)
    if failed is None:
        return "reachable", "", "", ""
    page = "" if failed.documentation is None else f" See {failed.documentation}."
    return "UNREACHABLE", failed.name, failed.code or "", f"{failed.remedy or ''}{_suggested(report)}{page}"


def _suggested(report: CheckReport) -> str:
    """A sentence with the changes that were found to help."""
    suggestion = report.suggestion
    if suggestion is None:
        return ""
    changes = {
        "region": suggestion.region,
        "endpoint": suggestion.endpoint,
        "path-style addressing": {None: None, True: "on", False: "off"}[suggestion.path_style_endpoint],
    }
    return " With this the bucket was found: " + ", ".join(f"{name} {to}" for name, to in changes.items() if to) + "."


def failed_step(report: CheckReport) -> CheckStep | None:
    """The step that failed; None when the store was reachable."""
    return next((step for step in report.steps if step.code is not None), None)


def _json(outcomes: list[Outcome]) -> str:
    return orjson.dumps([_object(outcome) for outcome in outcomes], None, orjson.OPT_UTC_Z).decode()


def _object(outcome: Outcome) -> dict[str, Any]:
    """As GraphQL presents a report; null where there is none."""
    target, report = outcome
    shown: dict[str, Any] = {"id": target.id, "userId": target.user_id, "label": target.label, "report": None}
    if report is not None:
        suggestion = report.suggestion
        shown["report"] = {
            "id": check_id(target.id, report.checked_at),
            "checkedAt": report.checked_at,
            "reachable": report.reachable,
            "documentation": None if report.failed_step is None else report.failed_step.documentation,
            "steps": [
                {
                    "name": step.name,
                    "outcome": step.outcome,
                    "code": step.code,
                    "remedy": step.remedy,
                    "field": step.field,
                    "storeCode": step.store_code,
                    "durationMs": step.duration_ms,
                }
                for step in report.steps
            ],
            "suggestion": None
            if suggestion is None
            else {
                "region": suggestion.region,
                "endpoint": suggestion.endpoint,
                "pathStyleEndpoint": suggestion.path_style_endpoint,
            },
            "takesBackups": report.takes_backups,
            "canDelete": report.facts.can_delete,
            "locksObjects": report.facts.locks_objects,
            "keepsVersions": report.facts.keeps_versions,
            "encrypts": report.facts.encrypts,
            "unreachableSince": report.unreachable_since,
        }
    return shown
