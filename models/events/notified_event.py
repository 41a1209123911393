"""A stored event as PostgreSQL's NOTIFY carries it: the streams of its user need no read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from models.accounts.viewer import Protocol
from models.events.event import Event, EventKind

CHANNEL = "moorings_event_rows"
"""Of PostgreSQL's NOTIFY. The payload is the id of a user, and behind it what `of_json` takes, where that fits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NotifiedEvent:
    """An event, and the position of its user's history that it directly follows.

    The event has the columns that streams show: no address, request or endpoint, for PostgreSQL lets every role of a
    database listen.
    """

    previous: int
    event: Event

    @classmethod
    def of_json(cls, user_id: int, text: str) -> NotifiedEvent:
        """What the trigger `events_notified` wrote; raises `ValueError` for other text, as of a later release."""
        try:
            previous, id_, kind, destination_id, label, changed, protocol, reachable, token_name, granted, at = (
                orjson.loads(text)
            )
            event = Event._init_from_db(
                id=int(id_),
                user_id=user_id,
                kind=EventKind(kind),
                destination_id=int(destination_id),
                label=str(label),
                changed_fields=str(changed),
                protocol=Protocol(protocol),
                reachable=reachable,
                token_name=token_name,
                granted=granted,
                occurred_at=datetime.fromtimestamp(at, UTC),
            )
            return cls(previous=int(previous), event=event)
        except (TypeError, OverflowError) as error:
            raise ValueError("this is not of an event") from error
