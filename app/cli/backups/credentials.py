"""`moorings credentials`: the operator's way to the keys of a destination, for programs that cannot do with grants."""

from __future__ import annotations

import click

from app.backups.credentials import FORMATS, Credentials
from app.cli.session import with_database
from app.secret_keys import open_vault
from app.settings import Settings
from models.audit.entry import AuditKind
from models.audit.operator import operator
from models.audit.recording import record
from models.checks.opened_target import target_of
from models.destinations.attributes import KINDS
from models.destinations.ownership import MAX_ID
from models.destinations.table import BackupDestination
from models.errors import DestinationNotFound, DestinationNotGrantable


@click.command()
@click.argument("destination_id", metavar="ID", type=int)
@click.option(
    "--format", "for_program", type=click.Choice(list(FORMATS)), required=True, help="For which program to print them."
)
@click.option("--reveal", is_flag=True, help="Print the secret key; without it nothing is opened.")
def credentials(destination_id: int, for_program: str, *, reveal: bool) -> None:
    """Print the credentials of a destination for rclone, restic or AWS's programs, the secret key with them.

    The output is the keys. The audit has the operator who printed them, and when.
    """
    if not reveal:
        raise click.UsageError("This prints a secret key; say --reveal if that is what you want.")

    async def act(settings: Settings) -> str:
        query = BackupDestination.filter(id=destination_id)
        row = await query.first() if 0 < destination_id <= MAX_ID else None
        if row is None:
            raise DestinationNotFound
        if not KINDS[row.kind].has_credentials:
            raise DestinationNotGrantable
        opened = Credentials.of(row.id, target_of(row, await open_vault(settings)))
        printed = FORMATS[for_program](opened)
        origin = operator(user_id=row.user_id)
        await record(origin, AuditKind.CREDENTIALS_REVEALED, f"destination {row.id}", format=for_program)
        return printed

    print(with_database(act))
