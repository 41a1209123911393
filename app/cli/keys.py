"""`moorings keys generate`, `wrap`, `status` and `rotate`."""

from __future__ import annotations

import asyncio

import click

from app.cli.session import with_database
from app.cli.tables import print_json, print_table, with_json
from app.key_service.ring import new_key, wrapped
from app.key_service.service import open_key_service
from app.secret_keys import open_vault
from app.settings import Settings, load_setting
from models.audit.entry import AuditKind
from models.audit.operator import operator
from models.audit.recording import record
from models.destinations.key_rotation import key_usage, rotate, sealed_rows
from models.errors import KeyRefused

commands = click.Group("keys", help="The keys that seal credentials.")


@commands.command("generate")
@with_json
def generate(*, as_json: bool) -> None:
    """Print one new key, wrapped when MOORINGS_KEY_SERVICE is set; needs no database."""
    key = asyncio.run(new_key(open_key_service(load_setting("key_service"))))
    print_json({"key": key}) if as_json else print(key)


@commands.command("wrap")
@with_json
def wrap(*, as_json: bool) -> None:
    """Print the keys of MOORINGS_SECRET_KEYS, each wrapped anew by the key service; needs no database.

    For keys that were not wrapped so far, and after the service's own key was replaced. The data stays as it is.
    """
    service, keys = open_key_service(load_setting("key_service")), load_setting("secret_keys")
    if service is None or keys is None:
        raise KeyRefused("MOORINGS_KEY_SERVICE and MOORINGS_SECRET_KEYS must be set.")
    ring = asyncio.run(wrapped(keys.reveal(), service))
    print_json({"keys": ring}) if as_json else print(ring)


@commands.command("status")
@with_json
def status(*, as_json: bool) -> None:
    """Show which keys are configured and how many sealed values each has."""

    async def act(settings: Settings) -> tuple[dict[str, int], tuple[str, ...]]:
        vault = await open_vault(settings)
        return await key_usage(), tuple(vault.key_ids)

    usage, ring = with_database(act)
    keys = [(key_id, usage.get(key_id, 0), "opens" if number else "seals") for number, key_id in enumerate(ring)]
    if as_json:
        print_json([{"key": key_id, "sealedValues": count, "role": role} for key_id, count, role in keys])
        return
    from rich.table import Table

    table = Table("Key", "Sealed values", "Role")
    for key_id, count, role in keys:
        table.add_row(key_id, str(count), role)
    print_table(table)


@commands.command("rotate")
@with_json
def rotate_keys(*, as_json: bool) -> None:
    """Seal everything anew with the first key, beside a running server; run again if it was interrupted."""
    unreadable = with_database(_rotate)
    if as_json:
        print_json({"unreadable": unreadable})
    if unreadable:
        values = "1 sealed value" if unreadable == 1 else f"{unreadable} sealed values"
        raise KeyRefused(f"{values} could not be opened and left as found.")


async def _rotate(settings: Settings) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    vault = await open_vault(settings)
    total, failed = await sealed_rows(), 0
    columns = (TextColumn("Sealing anew"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("rotate", total=total)
        async for done, unreadable in rotate(vault):
            failed = unreadable
            progress.update(task, completed=done, total=max(total, done))
    await record(operator(), AuditKind.KEYS_ROTATED, "keys", key=vault.sealing_key_id, unreadable=failed)
    return failed
