"""A token as the lookup that authenticates a request reads it, and the one rule of when a token is valid."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from models.accounts.networks import is_within
from models.clock import current_second


class TokenState(StrEnum):
    """Whether a token can be used, and why not."""

    VALID = "valid"
    REVOKED = "revoked"
    EXPIRED = "expired"
    DISABLED = "disabled"
    """Its user is disabled."""


def token_state(
    *, revoked_at: datetime | None, expires_at: datetime | None, disabled_at: datetime | None = None
) -> TokenState:
    """The state of a token now. PostgreSQL's infinity comes without a time zone, and is later than any time."""
    if revoked_at is not None:
        return TokenState.REVOKED
    if disabled_at is not None:
        return TokenState.DISABLED
    if expires_at is None:
        return TokenState.VALID
    if expires_at.tzinfo is None:
        expires_at = expires_at.replace(tzinfo=UTC)
    return TokenState.VALID if expires_at > current_second() else TokenState.EXPIRED


class TokenRow(NamedTuple):
    """A token and its user."""

    id: int
    digest: str
    name: str
    abilities: str
    expires_at: datetime | None
    revoked_at: datetime | None
    user_id: int
    user_name: str
    email: str
    revision: int
    destination_count: int
    disabled_at: datetime | None
    networks: str = ""
    imported_id: int | None = None
    """Of a token of the field: the number that its clients put before the bar."""
    checks_revision: int = 0

    def state(self) -> TokenState:
        """Whether it can be used now, and why not."""
        return token_state(revoked_at=self.revoked_at, expires_at=self.expires_at, disabled_at=self.disabled_at)

    def is_valid(self) -> bool:
        """Whether it is neither revoked nor expired now, and its user enabled."""
        return self.state() is TokenState.VALID

    def may_be_used_from(self, address: str) -> bool:
        """Whether a client with that address may use it."""
        return not self.networks or is_within(address, self.networks)
