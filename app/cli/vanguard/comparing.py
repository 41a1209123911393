"""`moorings import vanguard --compare URL`: both services beside each other, and every store beside its old status."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import click
import orjson

from app.cli.checks import Outcome, check_selection, failed_step
from app.cli.session import with_database
from app.cli.tables import print_table, printable
from app.cli.vanguard.two_services import AGREED, Comparison, Service, compare
from app.settings import Settings
from models.checks.selection import Selection
from models.takeover.stores import ImportedStore, imported_stores

PATH_STYLE = "path style never had an effect there"


class Found(NamedTuple):
    """The outcome of a whole comparison; the checks are None where they were left out."""

    comparison: Comparison
    stores: dict[int, ImportedStore]
    checks: list[Outcome] | None


def run_comparison(url: str, gateway: str, tokens: Sequence[str], *, has_checks: bool, as_json: bool) -> None:
    """Compare, print, and exit with 1 when something differs that should not."""
    there, here = Service(url), Service(gateway)

    async def act(settings: Settings) -> Found:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("Comparing"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("compare", total=len(tokens))
            comparison = await asyncio.to_thread(compare, there, here, tokens, advance=lambda: progress.advance(task))
        stores = await imported_stores()
        checks = await check_selection(settings, Selection()) if has_checks else None
        return Found(comparison, stores, checks)

    found = with_database(act)
    (_print_json if as_json else _show)(found)
    if found.comparison.differences or any(_is_worse(found, each) for each in found.checks or ()):
        sys.exit(1)


def read_tokens(path: Path | None) -> list[str]:
    """The tokens of a file, one a line, or of the input for `-`; raises `click.UsageError`."""
    if path is None:
        raise click.UsageError("--compare needs --tokens: a file with a token in each line, or - for the input.")
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read.") from error
    tokens = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not tokens or not all(token.isascii() and token.isprintable() and " " not in token for token in tokens):
        raise click.UsageError(f"{path} has no tokens, one in each line.")
    return tokens


def _is_worse(found: Found, outcome: Outcome) -> bool:
    """Whether a store was reachable for the old service and is not for this one."""
    store, report = found.stores.get(outcome.target.id), outcome.report
    return store is not None and store.status == "reachable" and report is not None and not report.reachable


def _show(found: Found, to: TextIO = sys.stdout) -> None:
    from rich.table import Column, Table

    comparison = found.comparison
    print(f"{comparison.rows} destinations of {comparison.tokens} tokens were compared.", file=to)
    for each in comparison.differences:
        where = "the list" if each.id is None else f"destination {each.id}"
        there, here = (printable(str(value)) for value in (each.there, each.here))
        print(f"token {each.token}, {where}: {each.field} is {there} there, and {here} here", file=to)
    if not comparison.differences:
        print("No difference but those that are agreed:", file=to)
        for sentence in AGREED:
            print(f"- {sentence}", file=to)
    if found.checks is None:
        for each_store in found.stores.values():
            if each_store.is_path_style:
                print(f"destination {each_store.id}: {PATH_STYLE}", file=to)
        return
    whole = (Column(name, no_wrap=True) for name in ("ID", "Status there", "Check here", "Step", "Code"))
    table = Table(*whole, Column("Label", overflow="fold"), Column("Path style", overflow="fold"))
    for outcome in found.checks:
        store = found.stores.get(outcome.target.id)
        step = None if outcome.report is None else failed_step(outcome.report)
        table.add_row(
            str(outcome.target.id),
            "not imported" if store is None else store.status or "unknown",
            _reachability(outcome),
            "" if step is None else step.name,
            "" if step is None else step.code or "",
            printable(outcome.target.label),
            PATH_STYLE if store is not None and store.is_path_style else "",
        )
    print_table(table)


def _reachability(outcome: Outcome) -> str:
    if outcome.report is None:
        return "skipped"
    return "reachable" if outcome.report.reachable else "UNREACHABLE"


def _print_json(found: Found) -> None:
    shown = {
        "tokens": found.comparison.tokens,
        "rows": found.comparison.rows,
        "differences": [each._asdict() for each in found.comparison.differences],
        "agreed": AGREED,
        "pathStyleHadNoEffect": [store.id for store in found.stores.values() if store.is_path_style],
        "checks": None if found.checks is None else [_check_json(found, each) for each in found.checks],
    }
    print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())


def _check_json(found: Found, outcome: Outcome) -> dict[str, object]:
    store = found.stores.get(outcome.target.id)
    step = None if outcome.report is None else failed_step(outcome.report)
    return {
        "id": outcome.target.id,
        "label": outcome.target.label,
        "statusThere": None if store is None else store.status,
        "reachable": None if outcome.report is None else outcome.report.reachable,
        "step": None if step is None else step.name,
        "code": None if step is None else step.code,
        "pathStyleHadNoEffect": store is not None and store.is_path_style,
    }
