"""Users and their tokens, as the operator manages them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from models.accounts.abilities import Ability, store_abilities
from models.accounts.bearer import digest_of, new_secret
from models.accounts.networks import store_networks
from models.accounts.token import Token
from models.accounts.user import User
from models.audit.entry import AuditEntry, AuditKind
from models.audit.operator import operator
from models.audit.recording import entry_of, log
from models.clock import current_second
from models.errors import AccountRefused
from models.imported_row import TOKENS, USERS, note_operators_end
from models.text import cleaned

_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
MAX_NAME_LENGTH = 255
MAX_EXPIRY = timedelta(days=36_500)


async def create_user(*, email: str, name: str) -> User:
    """Store a user; raises `AccountRefused` for a malformed or taken email or name."""
    email, name = checked_email(email), checked_name(name)
    try:
        async with in_transaction():
            user = await User.create(email=email, name=name, created_at=current_second())
            entry = await _audited(AuditKind.USER_CREATED, user, email=email)
    except IntegrityError as error:
        raise AccountRefused(f"There is a user with the email {email} already.") from error
    log(entry)
    return user


async def create_first_user(*, email: str, name: str, called: str, expires_in: timedelta | None) -> str | None:
    """Store a user, with a token of this name, where there is no user yet; returns the token's text or None.

    In one transaction, so that of several processes on one SQLite file one makes the user. PostgreSQL does not keep
    others from finding no user at the same time.
    """
    async with in_transaction():
        if await User.exists():
            return None
        user = await create_user(email=email, name=name)
        return await issue_token(user, name=called, expires_in=expires_in)


async def find_user(email: str) -> User:
    """The user with that email; raises `AccountRefused` when there is none."""
    user = await User.filter(email=email.strip().lower()).first()
    if user is None:
        raise AccountRefused(f"There is no user with the email {email.strip()}.")
    return user


async def disable_user(email: str, *, disabled: bool) -> User:
    """Disable or enable a user; a disabled one's tokens are refused at once and work again afterwards."""
    user = await find_user(email)
    user.disabled_at = current_second() if disabled else None
    async with in_transaction():
        await user.save(update_fields=["disabled_at"])
        if disabled:
            await note_operators_end(USERS, user.id)
        entry = await _audited(AuditKind.USER_DISABLED if disabled else AuditKind.USER_ENABLED, user)
    log(entry)
    return user


async def all_users() -> Sequence[User]:
    """Every user, oldest first."""
    return await User.all().order_by("id")


async def rename_user(email: str, *, new_email: str | None = None, name: str | None = None) -> User:
    """Give a user another email or name; raises `AccountRefused` for a malformed or taken one."""
    user = await find_user(email)
    old = user.email
    if new_email is not None:
        user.email = _text(new_email, "email").lower()
        if not _EMAIL.fullmatch(user.email):
            raise AccountRefused(f"{user.email!r} is not an email address.")
    if name is not None:
        user.name = _text(name, "name")
    try:
        async with in_transaction():
            await user.save(update_fields=["email", "name"])
            entry = await _audited(AuditKind.USER_RENAMED, user, old_email=old, email=user.email)
    except IntegrityError as error:
        raise AccountRefused(f"There is a user with the email {user.email} already.") from error
    log(entry)
    return user


async def delete_user(email: str, *, with_destinations: bool) -> User:
    """Delete a user with all tokens and events; the audit keeps what it has.

    Raises `AccountRefused` when the user has destinations, unless they are to be deleted too. What is in their stores
    stays there.
    """
    async with in_transaction():
        user = await User.filter(email=email.strip().lower()).select_for_update().first()
        if user is None:
            raise AccountRefused(f"There is no user with the email {email.strip()}.")
        count = user.destination_count
        if count and not with_destinations:
            raise AccountRefused(
                f"{user.email} has {count} destination{'s' * (count > 1)}; --with-destinations deletes them too."
            )
        entry = await _audited(AuditKind.USER_DELETED, user, email=user.email, destinations=str(count))
        await _destinations_of(user).delete()
        await user.delete()
    log(entry)
    return user


async def issue_token(
    user: User,
    *,
    name: str,
    abilities: Iterable[str] = (),
    expires_in: timedelta | None = None,
    networks: Iterable[str] = (),
) -> str:
    """Store a token and return its text, `<id>|<secret>`, which cannot be had again.

    No ability means all, and no network that it may be used from everywhere.
    """
    allowed = store_networks(networks)
    now = current_second()
    secret = new_secret()
    expires_at = None if expires_in is None else now + expires_in
    name, stored = _text(name, "name"), store_abilities(_abilities(abilities))
    async with in_transaction():
        token = await Token.create(
            user_id=user.id,
            name=name,
            digest=digest_of(secret),
            abilities=stored,
            networks=allowed,
            created_at=now,
            expires_at=expires_at,
        )
        entry = await _audited_token(AuditKind.TOKEN_CREATED, token)
    log(entry)
    return f"{token.id}|{secret}"


def lifetime(wanted: timedelta | None, longest: timedelta | None, *, is_required: bool = False) -> timedelta | None:
    """How long a new token is valid: as wanted, or as long as is allowed; None is without end.

    Raises `AccountRefused` for more than is allowed, and for a token without end where an end `is_required`.
    """
    if is_required and wanted is None and longest is None:
        raise AccountRefused("A token needs --expires-in here, such as 90d (MOORINGS_TOKEN_EXPIRY_REQUIRED).")
    if longest is None or wanted is None:
        return longest if wanted is None else wanted
    if wanted > longest:
        raise AccountRefused(f"A token may be valid for at most {longest} here (MOORINGS_TOKEN_MAX_LIFETIME).")
    return wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotation:
    """A token took the place of another; `token` is the text of the new one."""

    token: str
    old_id: int
    expired_at: datetime | None
    """When the old one was to end before, or None."""
    expires_at: datetime
    """When it ends now."""


async def rotate_token(token_id: int, *, overlap: timedelta, longest: timedelta | None = None) -> Rotation:
    """Store a token like a valid one, with a new secret, and let the old one end after `overlap`.

    The new one has as long a life as the old one was given, or `longest` if that is less. Raises `AccountRefused` when
    there is no valid token with that id.
    """
    async with in_transaction():
        old = await Token.filter(id=token_id).select_for_update().first() if 0 < token_id < 2**31 else None
        now = current_second()
        if old is None or old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
            raise AccountRefused(f"There is no valid token with the id {token_id}.")
        life = None if old.expires_at is None else old.expires_at - old.created_at
        life = min((each for each in (life, longest) if each is not None), default=None)
        secret = new_secret()
        new = await Token.create(
            user_id=old.user_id,
            name=old.name,
            digest=digest_of(secret),
            abilities=old.abilities,
            networks=old.networks,
            created_at=now,
            expires_at=None if life is None else now + life,
        )
        end, before = now + overlap, old.expires_at
        old.expires_at = end if before is None else min(end, before)
        await old.save(update_fields=["expires_at"])
        entry = await _audited_token(
            AuditKind.TOKEN_ROTATED, new, rotated_token_id=old.id, rotated_expires_at=old.expires_at.isoformat()
        )
    log(entry)
    return Rotation(token=f"{new.id}|{secret}", old_id=old.id, expired_at=before, expires_at=old.expires_at)


async def undo_rotation(rotation: Rotation) -> None:
    """Let the old token of a rotation go on as before, and revoke the new one, whose text no one has.

    One that was revoked or rotated meanwhile stays as it is.
    """
    await Token.filter(id=rotation.old_id, revoked_at__isnull=True, expires_at=rotation.expires_at).update(
        expires_at=rotation.expired_at
    )
    await revoke_token(int(rotation.token.partition("|")[0]))


async def tokens_of(user: User) -> Sequence[Token]:
    """The user's tokens, the revoked and expired ones too, oldest first."""
    return await Token.filter(user_id=user.id).order_by("id")


async def all_tokens() -> Sequence[Token]:
    """The tokens of all users, each with its `user`, oldest first."""
    return await Token.all().prefetch_related("user").order_by("id")


async def revoke_token(token_id: int) -> Token:
    """Revoke a token at once; a second time changes nothing. Raises `AccountRefused` when there is none.

    No import makes it valid again, though one had ended it before.
    """
    entry = None
    async with in_transaction():
        token = await Token.filter(id=token_id).select_for_update().first() if 0 < token_id < 2**31 else None
        if token is None:
            raise AccountRefused(f"There is no token with the id {token_id}.")
        is_news = await note_operators_end(TOKENS, token.id)
        if token.revoked_at is None:
            token.revoked_at, is_news = current_second(), True
            await token.save(update_fields=["revoked_at"])
        if is_news:
            entry = await _audited_token(AuditKind.TOKEN_REVOKED, token)
    if entry is not None:
        log(entry)
    return token


def parse_duration(text: str) -> timedelta:
    """Read `90d`, `12h`, `30m` or `45s`; raises `AccountRefused` for anything else or more than a century."""
    match = re.fullmatch(r"([1-9][0-9]{0,9})([dhms])", text.strip())
    if match is not None:
        unit = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}[match[2]]
        duration = timedelta(seconds=int(match[1]) * unit)
        if duration <= MAX_EXPIRY:
            return duration
    raise AccountRefused(f"{text!r} is not a duration; write 90d, 12h, 30m or 45s.")


def _destinations_of(user: User) -> Any:
    """The user's destinations, by the relation that their model declares."""
    return user.destinations.all()  # type: ignore[attr-defined]  # the ORM adds it


def _abilities(names: Iterable[str]) -> frozenset[Ability]:
    wanted = set(names) or {Ability.ALL.value}
    unknown = wanted - {ability.value for ability in Ability}
    if unknown:
        known = ", ".join(Ability)
        raise AccountRefused(f"There is no ability {', '.join(sorted(unknown))}; there are {known}.")
    return frozenset(Ability(name) for name in wanted)


async def _audited(kind: AuditKind, user: User, **detail: str) -> AuditEntry:
    """Store the audit's entry of an operator's act upon a user, in the transaction of the act."""
    entry = entry_of(operator(user_id=user.id), kind, f"user {user.id}", **detail)
    await entry.save(force_create=True)
    return entry


async def _audited_token(kind: AuditKind, token: Token, **detail: str | int) -> AuditEntry:
    """Store the audit's entry of an operator's act upon a token, in the transaction of the act."""
    shown = {
        "name": token.name,
        "abilities": token.abilities,
        "networks": token.networks or None,
        "expires_at": None if token.expires_at is None else token.expires_at.isoformat(),
    }
    origin = operator(user_id=token.user_id, token_id=token.id)
    entry = entry_of(origin, kind, f"token {token.id}", **shown, **detail)
    await entry.save(force_create=True)
    return entry


def checked_email(value: str) -> str:
    """The form in which an email is stored; raises `AccountRefused`."""
    email = _text(value, "email").lower()
    if not _EMAIL.fullmatch(email):
        raise AccountRefused(f"{email!r} is not an email address.")
    return email


def checked_name(value: str) -> str:
    """The form in which the name of a user or a token is stored; raises `AccountRefused`."""
    return _text(value, "name")


def _text(value: str, what: str) -> str:
    text = cleaned(value)
    if not isinstance(text, str) or len(text) > MAX_NAME_LENGTH or not text.isprintable():
        raise AccountRefused(f"The {what} must be printable text of 1 to {MAX_NAME_LENGTH} characters.")
    return text
