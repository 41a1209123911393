"""The user of a request, what the token allows, and the protocol that was used. First argument of service calls."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from models.accounts.abilities import Ability
from models.audit.entry import Actor, Origin
from models.audit.operator import operator
from models.errors import AbilityMissing


class Protocol(StrEnum):
    """What a request came through; stored with every event."""

    GRAPHQL = "graphql"
    REST = "rest"
    COMMAND_LINE = "command_line"
    SCHEDULER = "scheduler"


class Viewer(NamedTuple):
    """A user as seen through one token when it was looked up.

    `revision`, `checks_revision` and `destination_count` are the user row's own, read in the lookup that authenticated
    the request.
    `token_id` and `token_name` are None for the command line and the scheduler.
    """

    user_id: int
    name: str
    email: str
    abilities: frozenset[Ability]
    protocol: Protocol
    revision: int
    destination_count: int
    token_id: int | None = None
    token_name: str | None = None
    token_expires_at: datetime | None = None
    address: str | None = None
    """The client's; None for the command line and the scheduler, as the request's id."""
    request_id: str | None = None
    checks_revision: int = 0

    @property
    def origin(self) -> Origin:
        """Where an act of the viewer comes from, for the audit."""
        if self.protocol is Protocol.COMMAND_LINE:
            return operator(user_id=self.user_id)
        return Origin(
            actor=Actor.GATEWAY if self.protocol is Protocol.SCHEDULER else Actor.USER,
            user_id=self.user_id,
            token_id=self.token_id,
            address=self.address,
            protocol=self.protocol.value,
            request_id=self.request_id,
        )

    def allows(self, ability: Ability) -> bool:
        """Whether the token has `ability`."""
        return ability in self.abilities or (Ability.ALL in self.abilities and ability is not Ability.USE)

    def require(self, ability: Ability) -> None:
        """Raise `AbilityMissing` unless the token has `ability`."""
        if not self.allows(ability):
            raise AbilityMissing(ability)


def on_behalf_of(user_id: int, protocol: Protocol) -> Viewer:
    """The gateway or its operator, acting for a user without a token of theirs."""
    return Viewer(
        user_id=user_id,
        name="",
        email="",
        abilities=frozenset({Ability.ALL}),
        protocol=protocol,
        revision=0,
        destination_count=0,
    )
