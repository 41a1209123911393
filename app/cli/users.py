"""`moorings user create`, `disable` and `enable`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from app.cli.session import with_database
from app.settings import Settings
from models import accounts

commands = typer.Typer(help="The people with API tokens.", no_args_is_help=True)

Email = Annotated[str, typer.Option(help="The user's email address.")]


@commands.command("create")
def create(email: Email, name: Annotated[str, typer.Option(help="The user's name.")]) -> None:
    """Make a user and print the new id."""

    async def act(_settings: Settings) -> int:
        return (await accounts.create_user(email=email, name=name)).id

    print(with_database(act))


@commands.command("disable")
def disable(email: Email) -> None:
    """Refuse every token of a user, at once, until the user is enabled again."""
    _set_disabled(email, disabled=True)


@commands.command("enable")
def enable(email: Email) -> None:
    """Let a disabled user's tokens work again."""
    _set_disabled(email, disabled=False)


def _set_disabled(email: str, *, disabled: bool) -> None:
    async def act(_settings: Settings) -> None:
        await accounts.disable_user(email, disabled=disabled)

    with_database(act)
    print(f"moorings: {email} is {'disabled' if disabled else 'enabled'}.", file=sys.stderr)
