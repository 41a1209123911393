"""`moorings user create`, `disable` and `enable`."""

from __future__ import annotations

import sys

import click

from app.cli.session import with_database
from app.settings import Settings
from models.accounts import accounts

commands = click.Group("user", help="The people with API tokens.")

of_a_user = click.option("--email", required=True, help="The user's email address.")


@commands.command("create")
@of_a_user
@click.option("--name", required=True, help="The user's name.")
def create(email: str, name: str) -> None:
    """Make a user and print the new id."""

    async def act(_settings: Settings) -> int:
        return (await accounts.create_user(email=email, name=name)).id

    print(with_database(act))


@commands.command("disable")
@of_a_user
def disable(email: str) -> None:
    """Refuse every token of a user, at once, until the user is enabled again."""
    _set_disabled(email, disabled=True)


@commands.command("enable")
@of_a_user
def enable(email: str) -> None:
    """Let a disabled user's tokens work again."""
    _set_disabled(email, disabled=False)


def _set_disabled(email: str, *, disabled: bool) -> None:
    async def act(_settings: Settings) -> None:
        await accounts.disable_user(email, disabled=disabled)

    with_database(act)
    print(f"moorings: {email} is {'disabled' if disabled else 'enabled'}.", file=sys.stderr)
