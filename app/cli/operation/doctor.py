"""`moorings doctor`: looks at everything the gateway depends on, and says what to do."""

from __future__ import annotations

import asyncio
import json
import sys

import click

from app.doctor.examination import examine
from app.doctor.finding import Finding, State
from app.logs import configure_logs
from app.settings import load_settings


@click.command()
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="How many will serve.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array for machines.")
def doctor(workers: int, *, as_json: bool) -> None:
    """Look at the database, the keys and all around, and say what to do; exits with 1 when something fails.

    Changes nothing; works beside a running gateway and before the first start.
    """
    settings = load_settings()
    configure_logs("ERROR", settings.log_format)
    findings = asyncio.run(examine(settings, workers=workers))
    print(json.dumps([_object(finding) for finding in findings], indent=2)) if as_json else _show(findings)
    if any(finding.state is State.FAILURE for finding in findings):
        sys.exit(1)


def _object(finding: Finding) -> dict[str, str | None]:
    return {
        "check": finding.check,
        "state": finding.state.value,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def _show(findings: list[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        print(f"{finding.state.value:7}  {finding.check:{width}}  {finding.message}")
        if finding.remedy is not None:
            print(f"{'':7}  {'':{width}}  -> {finding.remedy}")
