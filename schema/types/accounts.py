"""What the viewer may do: the abilities and the life of the token, and where the count of requests stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum

import strawberry
from strawberry import enum_value

from models.accounts.abilities import Ability
from models.accounts.viewer import Viewer
from models.clock import current_second
from models.errors import Quota
from schema.types.ids import token_id

LAST_YEAR = 9_999
"""Of PostgreSQL's infinity, too: a token that ends then does not expire."""


@strawberry.enum(description="One thing that a token may allow.")
class TokenAbility(Enum):
    VIEW_BACKUP_DESTINATIONS = enum_value(Ability.VIEW.value, description="Read destinations and their events.")
    CREATE_BACKUP_DESTINATIONS = enum_value(Ability.CREATE.value, description="Create destinations.")
    UPDATE_BACKUP_DESTINATIONS = enum_value(Ability.UPDATE.value, description="Change and check destinations.")
    DELETE_BACKUP_DESTINATIONS = enum_value(Ability.DELETE.value, description="Delete destinations.")
    USE_BACKUP_DESTINATIONS = enum_value(
        Ability.USE.value, description="Read, write and delete what destinations hold; has to be named."
    )


@strawberry.type(description="The token that the request was made with.")
class ApiToken:
    id: strawberry.ID = strawberry.field(
        description="Its identity in a cache; no query takes it. The number in it stands before the bar in the token."
    )
    name: str = strawberry.field(description="What it was called when it was made.")
    expires_at: datetime | None = strawberry.field(description="When it ends; null when it does not.")


@strawberry.type(description="Where the count of the viewer's requests stands, this one included.")
class RateLimit:
    limit: int = strawberry.field(description="How many requests one window allows, over all tokens of the viewer.")
    remaining: int = strawberry.field(description="How many are left of them.")
    reset_at: datetime = strawberry.field(description="When the window ends, and the count begins again.")


def present_abilities(viewer: Viewer) -> list[TokenAbility]:
    """What the token allows, in the order of the enum; `*` allows each but the last."""
    return [ability for ability in TokenAbility if viewer.allows(Ability(str(ability.value)))]


def present_token(viewer: Viewer) -> ApiToken:
    """The token of a viewer that has one."""
    expires_at = viewer.token_expires_at
    if expires_at is not None and expires_at.year >= LAST_YEAR:
        expires_at = None
    if expires_at is not None and expires_at.tzinfo is None:
        expires_at = expires_at.replace(tzinfo=UTC)
    return ApiToken(id=strawberry.ID(token_id(viewer.token_id)), name=viewer.token_name or "", expires_at=expires_at)


def present_rate_limit(quota: Quota | None) -> RateLimit | None:
    """Where the count stands; None when requests are not limited."""
    if quota is None:
        return None
    reset_at = current_second() + timedelta(seconds=max(1, round(quota.left_s)))
    return RateLimit(limit=quota.limit, remaining=quota.remaining, reset_at=reset_at)
