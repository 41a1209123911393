"""Puts the commands together, and turns every refusal into one sentence on stderr and exit status 1."""

from __future__ import annotations

import sys

import click

from app.backups.refusals import BackupRefused
from app.cli import audit, checks, events, keys, printing, serving, tokens, users
from app.cli.backups import backup
from app.cli.operation import doctor
from app.cli.vanguard import importing
from app.database import MigrationsMissing
from app.embedded_file import EmbeddedFileRefused
from app.file_permissions import FilesOpenToOthers
from app.settings import SettingsRefused, load_settings
from models.database.faults import explain, is_fault
from models.errors import DatabaseUnavailable, KeysUnavailable, Refusal
from web.server.sockets import AddressTaken
from web.server.tls import CertificateRefused


class _Program(click.Group):
    """Shows its commands in the order in which they were given."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(self.commands)


program = _Program(
    "moorings",
    help="A gateway for backup destinations: GraphQL for front ends, the documented REST API for legacy clients.",
    context_settings={"help_option_names": ["-h", "--help"]},
    commands=[
        serving.serve,
        serving.migrate,
        checks.check,
        doctor.doctor,
        printing.schema,
        printing.openapi,
        users.commands,
        tokens.commands,
        keys.commands,
        audit.audit,
        events.commands,
        importing.commands,
        backup.commands,
    ],
)

click.version_option(None, "-V", "--version", package_name="moorings", message="%(prog)s %(version)s")(program)


def run() -> None:
    """Run the command in `sys.argv`."""
    try:
        sys.exit(program.main(prog_name="moorings", standalone_mode=False))
    except click.ClickException as mistake:
        mistake.show()
        sys.exit(mistake.exit_code)
    except DatabaseUnavailable as error:
        refuse(_explained(error))
    except KeysUnavailable:
        refuse("The key service that MOORINGS_KEY_SERVICE names does not answer.")
    except (Refusal, SettingsRefused, AddressTaken, CertificateRefused, BackupRefused) as refusal:
        refuse(str(refusal))
    except (EmbeddedFileRefused, FilesOpenToOthers, MigrationsMissing) as refusal:
        refuse(str(refusal))
    except click.Abort:
        sys.exit(130)
    except Exception as error:
        if not is_fault(error):
            raise
        refuse(_explained(error))


def _explained(error: Exception) -> str:
    address = load_settings().address
    return explain(error, path=address.path, url=address.url)


def refuse(sentence: str) -> None:
    """Print the sentence of a refusal, and exit with 1."""
    print(f"moorings: {sentence}", file=sys.stderr)
    sys.exit(1)
