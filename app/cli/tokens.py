"""`moorings token create`, `list` and `revoke`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime

import click

from app.cli.session import with_database
from app.cli.users import of_a_user
from app.settings import Settings
from models.accounts import accounts
from models.accounts.token import Token
from models.accounts.token_row import token_state

commands = click.Group("token", help="API tokens.")


@commands.command("create")
@of_a_user
@click.option("--name", default="command line", show_default=True, help="What the token is for.")
@click.option("--ability", multiple=True, help="What it allows; repeat for several; none is all.")
@click.option("--expires-in", help="When it ends, such as 90d, 12h or 30m.")
def create(email: str, name: str, ability: tuple[str, ...], expires_in: str | None) -> None:
    """Make a token and print it. It cannot be shown again."""

    async def act(_settings: Settings) -> str:
        duration = None if expires_in is None else accounts.parse_duration(expires_in)
        user = await accounts.find_user(email)
        return await accounts.issue_token(user, name=name, abilities=ability, expires_in=duration)

    print(with_database(act))


@commands.command("list")
@of_a_user
def list_tokens(email: str) -> None:
    """Show a user's tokens, never the secret part."""

    async def act(_settings: Settings) -> Sequence[Token]:
        return await accounts.tokens_of(await accounts.find_user(email))

    from rich.console import Console
    from rich.table import Table

    table = Table("ID", "Name", "Abilities", "Created", "Expires", "Last used", "State")
    for token in with_database(act):
        table.add_row(
            str(token.id),
            token.name,
            token.abilities.replace(" ", "\n"),
            _shown(token.created_at),
            _shown(token.expires_at),
            _shown(token.last_used_at),
            token_state(revoked_at=token.revoked_at, expires_at=token.expires_at).value,
        )
    Console(markup=False, emoji=False, highlight=False).print(table)


@commands.command("revoke")
@click.argument("token_id", metavar="ID", type=int, help="The number before the bar.")
def revoke(token_id: int) -> None:
    """Refuse a token from now on, everywhere at once."""

    async def act(_settings: Settings) -> None:
        await accounts.revoke_token(token_id)

    with_database(act)
    print(f"moorings: token {token_id} is revoked.", file=sys.stderr)


def _shown(timestamp: datetime | None) -> str:
    return "-" if timestamp is None else timestamp.strftime("%Y-%m-%d %H:%M")
