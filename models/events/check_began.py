"""That a check of a destination began: told to the user's open streams, and stored nowhere.

A client that is not connected then misses nothing that it could use: `reachability` of the destination says whether it
is being checked, and the event that is stored at the end of the check says what came of it. Stored, it would double
the history of checks, and be of use for seconds.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import randbits

import orjson

from models.accounts.viewer import Protocol, Viewer
from models.clock import current_second
from models.database.postgresql import postgresql_behind
from models.errors import DatabaseUnavailable
from models.events.event import Event

CHANNEL = "moorings_checks"
"""Of PostgreSQL's NOTIFY, for the streams of other processes."""
_NUMBER_BITS = 52


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckBegan:
    """A check that a user asked for began. `number` is another for each, by chance."""

    number: int
    user_id: int
    destination_id: int
    protocol: Protocol
    token_name: str | None
    began_at: datetime

    @classmethod
    def now(cls, viewer: Viewer, destination_id: int) -> CheckBegan:
        """The viewer's check of this destination begins."""
        return cls(
            number=1 + randbits(_NUMBER_BITS),
            user_id=viewer.user_id,
            destination_id=destination_id,
            protocol=viewer.protocol,
            token_name=viewer.token_name,
            began_at=current_second(),
        )

    def to_payload(self) -> str:
        """Itself in JSON, of less than the 8,000 bytes that a NOTIFY may have."""
        values = (self.number, self.user_id, self.destination_id, self.protocol, self.token_name)
        return orjson.dumps([*values, int(self.began_at.timestamp())]).decode()

    @classmethod
    def of_payload(cls, payload: str) -> CheckBegan:
        """What `to_payload` wrote; raises `ValueError` for any other text, such as of a later version."""
        try:
            number, user_id, destination_id, protocol, token_name, began_at = orjson.loads(payload)
            return cls(
                number=int(number),
                user_id=int(user_id),
                destination_id=int(destination_id),
                protocol=Protocol(protocol),
                token_name=None if token_name is None else str(token_name),
                began_at=datetime.fromtimestamp(began_at, UTC),
            )
        except (TypeError, OverflowError) as error:
            raise ValueError("this is not of a check that began") from error


async def tell_other_processes(began: CheckBegan) -> None:
    """Send it to the listeners of all processes on PostgreSQL; a database that is away sends nothing."""
    database = postgresql_behind(Event)
    if database is not None:
        with suppress(DatabaseUnavailable):
            await database.fetch("SELECT pg_notify($1, $2)", CHANNEL, began.to_payload())
