"""`moorings keys generate`, `wrap`, `status` and `rotate`."""

from __future__ import annotations

import asyncio

import click

from app.cli.session import with_database
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
def generate() -> None:
    """Print one new key, wrapped when MOORINGS_KEY_SERVICE is set; needs no database."""
    print(asyncio.run(new_key(open_key_service(load_setting("key_service")))))


@commands.command("wrap")
def wrap() -> None:
    """Print the keys of MOORINGS_SECRET_KEYS, each wrapped anew by the key service; needs no database.

    For keys that were not wrapped so far, and after the service's own key was replaced. The data stays as it is.
    """
    service, keys = open_key_service(load_setting("key_service")), load_setting("secret_keys")
    if service is None or keys is None:
        raise KeyRefused("MOORINGS_KEY_SERVICE and MOORINGS_SECRET_KEYS must be set.")
    print(asyncio.run(wrapped(keys.reveal(), service)))


@commands.command("status")
def status() -> None:
    """Show which keys are configured and how many sealed values each has."""

    async def act(settings: Settings) -> tuple[dict[str, int], tuple[str, ...]]:
        vault = await open_vault(settings)
        return await key_usage(), tuple(vault.key_ids)

    from rich.console import Console
    from rich.table import Table

    usage, ring = with_database(act)
    table = Table("Key", "Sealed values", "Role")
    for number, key_id in enumerate(ring):
        table.add_row(key_id, str(usage.get(key_id, 0)), "seals" if number == 0 else "opens")
    Console(markup=False, highlight=False).print(table)


@commands.command("rotate")
def rotate_keys() -> None:
    """Seal everything anew with the first key, beside a running server; run again if it was interrupted."""
    unreadable = with_database(_rotate)
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
