"""Puts the commands together, and turns every refusal into one sentence on stderr and exit status 1."""

from __future__ import annotations

import sys

import typer

from app.address import AddressTaken
from app.cli import checks, keys, printing, serving, tokens, users
from app.settings import SettingsRefused
from models.errors import DatabaseUnavailable, Refusal

program = typer.Typer(
    name="moorings",
    help="A gateway for backup destinations: GraphQL for front ends, the documented REST API for legacy clients.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
program.command("serve")(serving.serve)
program.command("migrate")(serving.migrate)
program.command("check")(checks.check)
program.command("schema")(printing.schema)
program.command("openapi")(printing.openapi)
program.add_typer(users.commands, name="user")
program.add_typer(tokens.commands, name="token")
program.add_typer(keys.commands, name="keys")


def run() -> None:
    """Run the command that was typed."""
    try:
        program()
    except DatabaseUnavailable:
        refuse("The database cannot be reached, or is not one; MOORINGS_DATABASE_URL says where it is.")
    except (Refusal, SettingsRefused, AddressTaken) as refusal:
        refuse(str(refusal))
    except KeyboardInterrupt:
        sys.exit(130)


def refuse(sentence: str) -> None:
    """Say why not, and exit with 1."""
    print(f"moorings: {sentence}", file=sys.stderr)
    sys.exit(1)
