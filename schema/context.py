"""What one operation knows: who asks, the service, and the events it has looked up together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from strawberry.dataloader import DataLoader

from models.accounts.viewer import Viewer
from models.errors import Unauthenticated
from models.service import DestinationService

if TYPE_CHECKING:
    from models.checks.checks import Checks
    from models.destinations.row import DestinationRow
    from models.events.event import Event
    from models.events.event_stream import EventStreams
    from schema.act_once import Outcome


def context_of(state: Mapping[str, Any], viewer: Viewer | None) -> Context:
    """The context of one operation; `state` is what the lifespan left for every request."""
    return Context(service=state["service"], checks=state["checks"], streams=state["streams"], current_viewer=viewer)


@dataclass(kw_only=True, slots=True)
class Context:
    """The context of one operation. `current_viewer` is None without a token; then only introspection is answered."""

    service: DestinationService
    checks: Checks
    streams: EventStreams
    current_viewer: Viewer | None
    outcome: Outcome | None = field(default=None, init=False)
    """What the one act of a compiled mutation came to: whoever runs the operation once more does not act again."""
    _events: DataLoader[int, Event | None] | None = field(default=None, init=False)

    @property
    def viewer(self) -> Viewer:
        """Who asks; raises `Unauthenticated` when nobody said."""
        if self.current_viewer is None:
            raise Unauthenticated
        return self.current_viewer

    async def destination(self, destination_id: int) -> DestinationRow | None:
        """One of the viewer's destinations; None when there is none with this id."""
        return await self.service.find(self.viewer, destination_id)

    async def event(self, event_id: int) -> Event | None:
        """One of the viewer's events; those of one operation are looked up together."""
        if self._events is None:
            self._events = DataLoader(load_fn=self._load_events)
        return await self._events.load(event_id)

    async def _load_events(self, ids: Sequence[int]) -> Sequence[Event | None]:
        found = await self.service.find_events(self.viewer, ids)
        return [found.get(id_) for id_ in ids]
