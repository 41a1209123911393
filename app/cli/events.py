"""`moorings events`: the history of destinations, pruned."""

from __future__ import annotations

import json
from datetime import datetime

import click

from app.cli.session import with_database
from app.settings import Settings
from models.accounts.accounts import parse_duration
from models.database.postgresql import earlier_second
from models.events.event import Event
from models.events.retention import count_older, prune


@click.group(name="events")
def commands() -> None:
    """Prune the events of destinations."""


@commands.command(name="prune")
@click.option("--older-than", metavar="DURATION", required=True, help="How old, such as 90d, 12h, 30m or 45s.")
@click.option("--dry-run", is_flag=True, help="Only count them.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for machines.")
def prune_events(older_than: str, *, dry_run: bool, as_json: bool) -> None:
    """Remove events that are older, in small steps beside a running server."""
    age = parse_duration(older_than)

    async def act(_settings: Settings) -> tuple[datetime, int]:
        before = await earlier_second(Event) - age
        return before, await (count_older(before) if dry_run else prune(before))

    before, count = with_database(act)
    if as_json:
        print(json.dumps({"before": before.isoformat().replace("+00:00", "Z"), "events": count, "dryRun": dry_run}))
    else:
        print(f"{'Would remove' if dry_run else 'Removed'} {count} event{'' if count == 1 else 's'}.")
