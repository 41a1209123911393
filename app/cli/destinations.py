"""`moorings destination list` and `show`: every user's, and never a credential."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from app.cli.session import with_database
from app.cli.tables import print_json, print_table, printable, with_json
from app.settings import Settings
from models.accounts.accounts import find_user
from models.destinations.attributes import Reachability
from models.destinations.table import BackupDestination
from models.errors import DestinationNotFound

commands = click.Group("destination", help="The destinations of all users, without their credentials.")
Row = dict[str, object]
COLUMNS = {
    "id": "id",
    "user_id": "userId",
    "user__email": "email",
    "kind": "kind",
    "label": "label",
    "bucket_name": "bucketName",
    "region": "region",
    "endpoint": "endpoint",
    "path_style_endpoint": "pathStyleEndpoint",
    "check_prefix": "checkPrefix",
    "credentials_set_at": "credentialsSetAt",
    "reachability": "reachability",
    "checked_at": "checkedAt",
    "version": "version",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
}
"""What is read of a row, and its name in JSON; the sealed columns are not."""


@commands.command("list")
@click.option("--email", help="Of this user alone.")
@click.option(
    "--reachability", type=click.Choice([each.value for each in Reachability]), help="Of this reachability alone."
)
@with_json
def list_destinations(email: str | None, reachability: str | None, *, as_json: bool) -> None:
    """Show the destinations of all users, or of one."""

    async def act(_settings: Settings) -> Sequence[Row]:
        wanted: dict[str, object] = {} if reachability is None else {"reachability": reachability}
        if email is not None:
            wanted["user_id"] = (await find_user(email)).id
        return await BackupDestination.filter(**wanted).order_by("id").values(*COLUMNS)

    rows = [_object(row) for row in with_database(act)]
    if as_json:
        print_json(rows)
        return
    from rich.table import Table

    shown = {"id": "ID", "email": "User", "kind": "Kind", "label": "Label", "bucketName": "Bucket"}
    shown |= {"endpoint": "Endpoint", "reachability": "Reachability", "checkedAt": "Checked"}
    table = Table(*shown.values())
    for row in rows:
        table.add_row(*("-" if row[name] is None else printable(str(row[name])) for name in shown))
    print_table(table)


@commands.command("show")
@click.argument("destination_id", metavar="ID", type=int)
@with_json
def show(destination_id: int, *, as_json: bool) -> None:
    """Show a destination, without its credentials."""

    async def act(_settings: Settings) -> Row:
        known = 0 < destination_id < 2**31
        rows = await BackupDestination.filter(id=destination_id).values(*COLUMNS) if known else []
        if not rows:
            raise DestinationNotFound
        return dict(rows[0])

    row = _object(with_database(act))
    if as_json:
        print_json(row)
        return
    for name, value in row.items():
        print(f"{name}: {'-' if value is None else printable(str(value))}")


def _object(row: Row) -> Row:
    return {name: _plain(row[column]) for column, name in COLUMNS.items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
