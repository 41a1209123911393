"""`moorings audit`: who did what, when and from where."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from app.cli.session import with_database
from app.cli.tables import print_table, printable
from app.settings import Settings
from models.accounts.accounts import find_user, parse_duration
from models.audit.entry import AuditEntry, AuditKind
from models.audit.search import AuditFilter, find_entries
from models.clock import current_second
from models.errors import AccountRefused

MAX_LIMIT = 100_000


@click.command()
@click.option("--user", help="Acts of this user or upon it: an id, or an email address.")
@click.option(
    "--token", "token_id", metavar="ID", type=click.IntRange(1, 2**31 - 1), help="With this token or upon it."
)
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice([kind.value for kind in AuditKind]), help="Repeat for several."
)
@click.option(
    "--since", metavar="WHEN", help="A time, such as 2026-03-01 or 2026-03-01T12:30Z, or a duration ago: 24h."
)
@click.option("--until", metavar="WHEN", help="The same; entries of that second are included.")
@click.option("--address", help="From this client address.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array for machines.")
def audit(
    user: str | None,
    token_id: int | None,
    kinds: tuple[str, ...],
    since: str | None,
    until: str | None,
    address: str | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Show the audit, newest first: who did what, when and from where."""
    start, end = _time(since, "--since"), _time(until, "--until")

    async def act(_settings: Settings) -> Sequence[AuditEntry]:
        wanted = AuditFilter(
            user_id=None if user is None else await _user_id(user),
            token_id=token_id,
            kinds=[AuditKind(kind) for kind in kinds],
            address=address,
            since=start,
            until=end,
        )
        return await find_entries(wanted, limit=limit)

    entries = with_database(act, is_audited=False)
    print(json.dumps([_object(entry) for entry in entries], indent=2)) if as_json else _show(entries)


async def _user_id(user: str) -> int:
    """The id of a user by id or email; raises `AccountRefused`."""
    if user.isascii() and user.isdigit() and len(user) < 10:
        return int(user)
    return (await find_user(user)).id


def _time(text: str | None, option: str) -> datetime | None:
    """A time in UTC unless it has an offset, or a duration before now; raises a usage error."""
    if text is None:
        return None
    try:
        return current_second() - parse_duration(text)
    except AccountRefused:
        pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{option} wants a time such as 2026-03-01T12:30Z, or a duration such as 24h.") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _object(entry: AuditEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "occurredAt": entry.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "kind": entry.kind.value,
        "actor": entry.actor.value,
        "osUser": entry.os_user,
        "userId": entry.user_id,
        "tokenId": entry.token_id,
        "subject": entry.subject,
        "address": entry.address,
        "protocol": entry.protocol,
        "requestId": entry.request_id,
        "detail": json.loads(entry.detail),
    }


def _show(entries: Sequence[AuditEntry]) -> None:
    from rich.table import Column, Table

    whole = (Column(name, no_wrap=True) for name in ("When (UTC)", "What", "Subject", "Who", "From"))
    table = Table(*whole, Column("Detail", overflow="fold", ratio=1))
    for entry in entries:
        when = entry.occurred_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        detail = ", ".join(f"{name}: {value}" for name, value in json.loads(entry.detail).items() if value is not None)
        table.add_row(when, entry.kind.value, entry.subject, _who(entry), entry.address or "-", printable(detail))
    print_table(table)


def _who(entry: AuditEntry) -> str:
    if entry.os_user is not None:
        return printable(f"{entry.actor.value} {entry.os_user}")
    token = "" if entry.token_id is None else f", token {entry.token_id}"
    user = "" if entry.user_id is None else f" {entry.user_id}"
    return f"{entry.actor.value}{user}{token}"
