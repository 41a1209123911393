"""`moorings token create`, `rotate`, `list` and `revoke`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from app.cli.session import with_database
from app.cli.tables import print_table
from app.cli.token_output import private_file
from app.cli.users import of_a_user
from app.settings import Settings
from models.accounts import accounts
from models.accounts.token import Token
from models.accounts.token_row import token_state

commands = click.Group("token", help="API tokens.")


_token_file = click.option(
    "--token-file", metavar="FILE", help="Write the token to a file that its owner alone can read, and print none."
)


@commands.command("create")
@of_a_user
@click.option("--name", default="command line", show_default=True, help="What the token is for.")
@click.option(
    "--ability", multiple=True, help="What it allows; repeat for several; none is the default of the settings."
)
@click.option("--expires-in", help="When it ends, such as 90d, 12h or 30m.")
@click.option(
    "--network", multiple=True, help="From where alone it may be used, such as 10.0.0.0/8; repeat for several."
)
@_token_file
def create(
    email: str,
    name: str,
    ability: tuple[str, ...],
    expires_in: str | None,
    network: tuple[str, ...],
    token_file: str | None,
) -> None:
    """Make a token and print it. It cannot be shown again."""

    async def act(settings: Settings) -> str:
        wanted = None if expires_in is None else accounts.parse_duration(expires_in)
        user = await accounts.find_user(email)
        return await accounts.issue_token(
            user,
            name=name,
            abilities=ability or settings.token_default_abilities,
            expires_in=accounts.lifetime(
                wanted, settings.longest_token_lifetime, is_required=settings.token_expiry_required
            ),
            networks=network,
        )

    _hand_over(act, token_file)


@commands.command("rotate")
@click.argument("token_id", metavar="ID", type=int)
@click.option("--overlap", default="1h", show_default=True, help="How long the old one still works, or 0.")
@_token_file
def rotate(token_id: int, overlap: str, token_file: str | None) -> None:
    """Make a token like the one with this ID, and let that one end.

    The new one has its name, its abilities and as long a life as it was given.
    """

    async def act(settings: Settings) -> str:
        still = timedelta() if overlap == "0" else accounts.parse_duration(overlap)
        return await accounts.rotate_token(token_id, overlap=still, longest=settings.longest_token_lifetime)

    _hand_over(act, token_file)


def _hand_over(act: Callable[[Settings], Awaitable[str]], path: str | None) -> None:
    """Make a token, and print it or write it to a file."""
    if path is None:
        print(with_database(act))
        return
    with private_file(Path(path).absolute()) as file:
        written = file.write(with_database(act))
    print(f"moorings: the token is in {written}, for its owner alone.", file=sys.stderr)


@commands.command("list")
@of_a_user
def list_tokens(email: str) -> None:
    """Show a user's tokens, never the secret part.

    An imported one may have another number before its bar, which is shown behind its own.
    """

    async def act(_settings: Settings) -> Sequence[Token]:
        return await accounts.tokens_of(await accounts.find_user(email))

    from rich.table import Table

    table = Table("ID", "Name", "Abilities", "Created", "Expires", "Last used", "Last address", "Networks", "State")
    for token in with_database(act):
        table.add_row(
            str(token.id) if token.imported_id in (None, token.id) else f"{token.id} ({token.imported_id}|…)",
            token.name,
            token.abilities.replace(" ", "\n"),
            _shown(token.created_at),
            _shown(token.expires_at),
            _shown(token.last_used_at),
            token.last_address or "-",
            token.networks.replace(" ", "\n") or "any",
            token_state(revoked_at=token.revoked_at, expires_at=token.expires_at).value,
        )
    print_table(table)


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
