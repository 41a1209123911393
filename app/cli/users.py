"""`moorings user create`, `list`, `show`, `rename`, `delete`, `disable` and `enable`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime

import click

from app.cli.session import with_database
from app.cli.tables import print_json, print_table, printable, with_json
from app.settings import Settings
from models.accounts import accounts
from models.accounts.token import Token
from models.accounts.token_row import TokenState, token_state
from models.accounts.user import User

commands = click.Group("user", help="The people with API tokens.")

of_a_user = click.option("--email", required=True, help="The user's email address.")


@commands.command("create")
@of_a_user
@click.option("--name", required=True, help="The user's name.")
@with_json
def create(email: str, name: str, *, as_json: bool) -> None:
    """Make a user and print the new id."""

    async def act(_settings: Settings) -> User:
        return await accounts.create_user(email=email, name=name)

    user = with_database(act)
    print_json(_object(user)) if as_json else print(user.id)


@commands.command("list")
@with_json
def list_users(*, as_json: bool) -> None:
    """Show all users."""

    async def act(_settings: Settings) -> Sequence[User]:
        return await accounts.all_users()

    users = with_database(act)
    if as_json:
        print_json([_object(user) for user in users])
        return
    from rich.table import Table

    table = Table("ID", "Email", "Name", "Destinations", "Created", "State")
    for user in users:
        shown = (str(user.id), printable(user.email), printable(user.name), str(user.destination_count))
        table.add_row(*shown, _shown(user.created_at), _state(user))
    print_table(table)


@commands.command("show")
@of_a_user
@with_json
def show(email: str, *, as_json: bool) -> None:
    """Show a user, and how many tokens work."""

    async def act(_settings: Settings) -> tuple[User, Sequence[Token]]:
        user = await accounts.find_user(email)
        return user, await accounts.tokens_of(user)

    user, tokens = with_database(act)
    valid = sum(
        token_state(revoked_at=token.revoked_at, expires_at=token.expires_at) is TokenState.VALID for token in tokens
    )
    facts = _object(user) | {"validTokens": valid}
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        print(f"{name}: {'-' if value is None else printable(str(value))}")


@commands.command("rename")
@of_a_user
@click.option("--new-email", help="The new email address.")
@click.option("--name", help="The new name.")
@with_json
def rename(email: str, new_email: str | None, name: str | None, *, as_json: bool) -> None:
    """Give a user another email address or name; tokens go on working."""
    if new_email is None and name is None:
        raise click.UsageError("Give --new-email, --name or both.")

    async def act(_settings: Settings) -> User:
        return await accounts.rename_user(email, new_email=new_email, name=name)

    user = with_database(act)
    _say(user, f"{user.email} is the user {user.id}, {user.name}.", as_json=as_json)


@commands.command("delete")
@of_a_user
@click.option("--with-destinations", is_flag=True, help="Delete the user's destinations too.")
@with_json
def delete(email: str, *, with_destinations: bool, as_json: bool) -> None:
    """Delete a user with all tokens and events, at once; what is in the stores stays there, as does the audit."""

    async def act(_settings: Settings) -> User:
        return await accounts.delete_user(email, with_destinations=with_destinations)

    user = with_database(act)
    _say(user, f"{user.email} is deleted.", as_json=as_json)


@commands.command("disable")
@of_a_user
@with_json
def disable(email: str, *, as_json: bool) -> None:
    """Refuse every token of a user, at once, until the user is enabled again."""
    _set_disabled(email, disabled=True, as_json=as_json)


@commands.command("enable")
@of_a_user
@with_json
def enable(email: str, *, as_json: bool) -> None:
    """Let a disabled user's tokens work again."""
    _set_disabled(email, disabled=False, as_json=as_json)


def _set_disabled(email: str, *, disabled: bool, as_json: bool) -> None:
    async def act(_settings: Settings) -> User:
        return await accounts.disable_user(email, disabled=disabled)

    user = with_database(act)
    _say(user, f"{email} is {'disabled' if disabled else 'enabled'}.", as_json=as_json)


def _say(user: User, sentence: str, *, as_json: bool) -> None:
    print_json(_object(user)) if as_json else print(f"moorings: {printable(sentence)}", file=sys.stderr)


def _object(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "destinations": user.destination_count,
        "createdAt": user.created_at.isoformat().replace("+00:00", "Z"),
        "disabledAt": None if user.disabled_at is None else user.disabled_at.isoformat().replace("+00:00", "Z"),
    }


def _state(user: User) -> str:
    return "enabled" if user.disabled_at is None else "disabled"


def _shown(timestamp: datetime) -> str:
    return timestamp.strftime("%Y-%m-%d %H:%M")
