"""`moorings token create`, `rotate`, `list` and `revoke`."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import click

from app.cli.session import with_database
from app.cli.tables import print_json, print_table, printable, with_json
from app.cli.token_output import private_file
from app.cli.users import of_a_user
from app.settings import Settings
from models.accounts import accounts
from models.accounts.token import Token
from models.accounts.token_retention import count_ended, prune
from models.accounts.token_row import TokenState, token_state
from models.database.postgresql import earlier_second
from models.errors import AccountRefused

commands = click.Group("token", help="API tokens.")


_token_file = click.option(
    "--token-file", metavar="FILE", help="Write the token to a file that its owner alone can read, and print none."
)
_print_token = click.option(
    "--print-token", is_flag=True, help="Print the token, whatever stdout is, as happens without --token-file."
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
@_print_token
@with_json
def create(
    email: str,
    name: str,
    ability: tuple[str, ...],
    expires_in: str | None,
    network: tuple[str, ...],
    token_file: str | None,
    *,
    print_token: bool,
    as_json: bool,
) -> None:
    """Make a token and print it. It cannot be shown again."""
    _check_destination(token_file, print_token=print_token)

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

    _hand_over(act, token_file, as_json=as_json)


@commands.command("rotate")
@click.argument("token_id", metavar="ID", type=int)
@click.option("--overlap", default="1h", show_default=True, help="How long the old one still works, or 0.")
@_token_file
@_print_token
@with_json
def rotate(token_id: int, overlap: str, token_file: str | None, *, print_token: bool, as_json: bool) -> None:
    """Make a token like the one with this ID, and let that one end.

    The new one has its name, its abilities and as long a life as it was given.
    """
    _check_destination(token_file, print_token=print_token)
    rotations: list[accounts.Rotation] = []

    async def act(settings: Settings) -> str:
        still = timedelta() if re.fullmatch("0[dhms]?", overlap) else accounts.parse_duration(overlap)
        rotation = await accounts.rotate_token(token_id, overlap=still, longest=settings.longest_token_lifetime)
        rotations.append(rotation)
        return rotation.token

    def undo() -> Coroutine[None, None, None]:
        return accounts.undo_rotation(rotations[0])

    _hand_over(act, token_file, as_json=as_json, undo=undo, but=f"; token {token_id} goes on as before")


def _check_destination(path: str | None, *, print_token: bool) -> None:
    if path is not None and print_token:
        raise click.UsageError("--print-token and --token-file exclude each other.")


def _hand_over(
    act: Callable[[Settings], Awaitable[str]],
    path: str | None,
    *,
    as_json: bool,
    undo: Callable[[], Coroutine[None, None, None]] | None = None,
    but: str = "",
) -> None:
    """Make a token, and print it or write it to a file.

    One that cannot be written is revoked, or `undo` is called, and `but` is what else the sentence says then.
    """
    if path is None:
        token = with_database(act)
        with revoked_if_lost(token, undo, but):
            print_json({"id": _id_of(token), "token": token}) if as_json else print(token)
            sys.stdout.flush()
        return
    with private_file(Path(path).absolute()) as file:
        token = with_database(act)
        with revoked_if_lost(token, undo, but):
            written = file.write(token)
    if as_json:
        print_json({"id": _id_of(token), "file": str(written)})
    print(f"moorings: the token is in {written}, for its owner alone.", file=sys.stderr)


@contextmanager
def revoked_if_lost(
    token: str, undo: Callable[[], Coroutine[None, None, None]] | None = None, but: str = ""
) -> Iterator[None]:
    """Around the writing of a token: when that fails, the token is revoked, for no one has its text.

    `undo` is what revokes it, if more has to be undone, and `but` ends the sentence then.
    """
    try:
        yield
    except (OSError, AccountRefused) as error:
        token_id = _id_of(token)

        async def revoke(_settings: Settings) -> None:
            await (accounts.revoke_token(token_id) if undo is None else undo())

        with_database(revoke)
        reason = str(error).rstrip(".") if isinstance(error, AccountRefused) else error.strerror
        raise AccountRefused(
            f"The token {token_id} was made, could not be written ({reason}), and is revoked{but}."
        ) from error


def _id_of(token: str) -> int:
    return int(token.partition("|")[0])


@commands.command("list")
@click.option("--email", help="Of this user alone.")
@with_json
def list_tokens(email: str | None, *, as_json: bool) -> None:
    """Show the tokens of all users, or of one; never the secret part.

    An imported one may have another number before its bar, which is shown behind its own.
    """

    async def act(_settings: Settings) -> Sequence[Token]:
        if email is None:
            return await accounts.all_tokens()
        user = await accounts.find_user(email)
        tokens = await accounts.tokens_of(user)
        for token in tokens:
            token.user = user
        return tokens

    tokens = with_database(act)
    if as_json:
        print_json([_object(token) for token in tokens])
        return
    from rich.table import Table

    owner = ("User",) if email is None else ()
    columns = ("Name", "Abilities", "Created", "Expires", "Last used", "Last address", "Networks", "State")
    table = Table("ID", *owner, *columns)
    for token in tokens:
        table.add_row(
            str(token.id) if token.imported_id in (None, token.id) else f"{token.id} ({token.imported_id}|…)",
            *(printable(token.user.email) for _ in owner),
            printable(token.name),
            token.abilities.replace(" ", "\n"),
            _shown(token.created_at),
            _shown(token.expires_at),
            _shown(token.last_used_at),
            token.last_address or "-",
            token.networks.replace(" ", "\n") or "any",
            _state(token).value,
        )
    print_table(table)


def _object(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "importedId": token.imported_id,
        "userId": token.user_id,
        "email": token.user.email,
        "name": token.name,
        "abilities": token.abilities.split(),
        "networks": token.networks.split(),
        "createdAt": _written(token.created_at),
        "expiresAt": _written(token.expires_at),
        "revokedAt": _written(token.revoked_at),
        "lastUsedAt": _written(token.last_used_at),
        "lastAddress": token.last_address,
        "state": _state(token).value,
    }


def _state(token: Token) -> TokenState:
    return token_state(revoked_at=token.revoked_at, expires_at=token.expires_at, disabled_at=token.user.disabled_at)


def _written(timestamp: datetime | None) -> str | None:
    return None if timestamp is None else timestamp.isoformat().replace("+00:00", "Z")


@commands.command("revoke")
@click.argument("token_id", metavar="ID", type=int, help="The number before the bar.")
@with_json
def revoke(token_id: int, *, as_json: bool) -> None:
    """Refuse a token from now on, everywhere at once."""

    async def act(_settings: Settings) -> None:
        await accounts.revoke_token(token_id)

    with_database(act)
    if as_json:
        print_json({"id": token_id, "state": TokenState.REVOKED.value})
    print(f"moorings: token {token_id} is revoked.", file=sys.stderr)


@commands.command("prune")
@click.option("--older-than", metavar="DURATION", required=True, help="How long ago they ended, such as 90d or 12h.")
@click.option("--dry-run", is_flag=True, help="Only count them.")
@with_json
def prune_tokens(older_than: str, *, dry_run: bool, as_json: bool) -> None:
    """Remove tokens that were revoked or expired longer ago, in small steps beside a running server.

    Imported tokens stay, and so does all that the audit and the events say of any token.
    """
    age = accounts.parse_duration(older_than)

    async def act(_settings: Settings) -> tuple[datetime, int]:
        before = await earlier_second(Token) - age
        return before, await (count_ended(before) if dry_run else prune(before))

    before, count = with_database(act)
    if as_json:
        print_json({"before": _written(before), "tokens": count, "dryRun": dry_run})
        return
    print(f"{'Would remove' if dry_run else 'Removed'} {count} token{'' if count == 1 else 's'}.")


def _shown(timestamp: datetime | None) -> str:
    return "-" if timestamp is None else timestamp.strftime("%Y-%m-%d %H:%M")
