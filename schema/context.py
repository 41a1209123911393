"""The context that resolvers of one operation share: the viewer, the domain's services, and a loader of events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from strawberry.dataloader import DataLoader

from models.accounts.viewer import Viewer
from models.checks.past_checks import past_checks
from models.errors import Quota, Unauthenticated
from models.grants.impact import DeletionImpact
from models.service import DestinationService
from models.writes.idempotency import KeyedAct, KeyedRequest

if TYPE_CHECKING:
    from models.checks.checks import Checks
    from models.checks.jobs import CheckJobs
    from models.checks.past_checks import Seen
    from models.destinations.row import DestinationRow
    from models.events.event import Event
    from models.events.event_stream import EventStreams
    from models.events.history import DestinationEvents
    from models.grants.grants import Grants
    from models.pagination import Bounds, Slice


def context_of(
    state: Mapping[str, Any],
    viewer: Viewer | None,
    *,
    rate_limit: Quota | None = None,
    last_event_id: str | None = None,
    keyed_request: KeyedRequest | None = None,
    wait_elsewhere: Callable[[], None] | None = None,
) -> Context:
    """The context of one operation. `state` is the lifespan state; `viewer` is None for a request without a token.

    `wait_elsewhere` is called when the operation begins to wait for a store.
    """
    return Context(
        service=state["service"],
        checks=state["checks"],
        check_jobs=state["check_jobs"],
        grants=state["grants"],
        streams=state["streams"],
        current_viewer=viewer,
        last_event_id=last_event_id,
        rate_limit=rate_limit,
        keyed_request=keyed_request,
        wait_elsewhere=wait_elsewhere,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ActResult:
    """What the one act of an operation returned, or the exception it raised."""

    value: Any = None
    error: Exception | None = None

    def get(self) -> Any:
        """The returned value; raises the exception of an act that raised one."""
        if self.error is not None:
            raise self.error
        return self.value


@dataclass(kw_only=True, slots=True)
class Context:
    """The context of one operation. Without a token `current_viewer` is None, and only introspection is executed."""

    service: DestinationService
    checks: Checks
    grants: Grants
    streams: EventStreams
    current_viewer: Viewer | None
    check_jobs: CheckJobs | None = None
    """None where an operation is executed without a gateway, which starts no jobs."""
    last_event_id: str | None = None
    """The ID of the last event that a client has seen, from the header with which it resumes a stream."""
    latest_position: int | None = field(default=None, init=False)
    """The end of the viewer's events, read before anything else of an operation that shows it."""
    rate_limit: Quota | None = None
    """Where the viewer's count of requests stands; None where they are not counted."""
    wait_elsewhere: Callable[[], None] | None = None
    """Lets the server know that the operation waits for a store from now on."""
    is_shared: bool = field(default=True, init=False)
    """Whether other tokens of the same viewer and abilities get the same response, until the viewer's data changes."""
    keyed_request: KeyedRequest | None = None
    """Of a mutation with an Idempotency-Key."""
    act_result: ActResult | None = field(default=None, init=False)
    """The result of the act of a compiled mutation; graphql-core's execution of the same operation reuses it."""
    _events: DataLoader[int, Event | None] | None = field(default=None, init=False)
    _past_checks: DataLoader[tuple[int, Bounds[int]], Slice[Seen]] | None = field(default=None, init=False)
    _destination_events: DataLoader[DestinationEvents, Slice[Event]] | None = field(default=None, init=False)
    _deletion_impacts: DataLoader[int, DeletionImpact] | None = field(default=None, init=False)

    @property
    def viewer(self) -> Viewer:
        """The viewer; raises `Unauthenticated` for a request without a token."""
        if self.current_viewer is None:
            raise Unauthenticated
        return self.current_viewer

    @property
    def request_id(self) -> str | None:
        """The id of the viewer's request, which its response has in `X-Request-Id`; that of a socket is its own."""
        return None if self.current_viewer is None else self.current_viewer.request_id

    def keyed_act(self, response_name: str) -> KeyedAct | None:
        """The act of a root field, by its name in the response; None for a request without an Idempotency-Key."""
        return None if self.keyed_request is None else self.keyed_request.act(response_name)

    @property
    def jobs(self) -> CheckJobs:
        """The jobs of checks of this process."""
        if self.check_jobs is None:
            raise RuntimeError("this operation is executed without a gateway")
        return self.check_jobs

    def destination(self, destination_id: int) -> Awaitable[DestinationRow | None]:
        """The viewer's destination with this id; None when the viewer has none with it. Refusals are raised at once."""
        return self.service.find(self.viewer, destination_id)

    def wait_for_store(self) -> Checks:
        """The checks of stores, for one that is waited for; other requests need not wait for this one meanwhile."""
        if self.wait_elsewhere is not None:
            self.wait_elsewhere()
        return self.checks

    async def event(self, event_id: int) -> Event | None:
        """The viewer's event with this id, or None. All lookups of one operation share a statement."""
        if self._events is None:
            self._events = DataLoader(load_fn=self._load_events)
        return await self._events.load(event_id)

    async def past_checks(self, destination_id: int, bounds: Bounds[int]) -> Slice[Seen]:
        """A slice of the checks of one of the viewer's destinations. All of one operation share a statement."""
        if self._past_checks is None:
            self._past_checks = DataLoader(load_fn=_load_past_checks)
        return await self._past_checks.load((destination_id, bounds))

    async def destination_events(self, wanted: DestinationEvents) -> Slice[Event]:
        """A slice of the events of one of the viewer's destinations. All of one operation share a statement."""
        if self._destination_events is None:
            self._destination_events = DataLoader(load_fn=self._load_destination_events)
        return await self._destination_events.load(wanted)

    async def deletion_impact(self, destination_id: int) -> DeletionImpact:
        """What deleting one of the viewer's destinations would do. All of one operation share a statement."""
        if self._deletion_impacts is None:
            self._deletion_impacts = DataLoader(load_fn=self._load_deletion_impacts)
        return await self._deletion_impacts.load(destination_id)

    async def _load_deletion_impacts(self, ids: Sequence[int]) -> Sequence[DeletionImpact]:
        found = await self.grants.deletion_impacts(self.viewer, ids)
        return [found.get(id_, DeletionImpact()) for id_ in ids]

    async def _load_destination_events(self, wanted: Sequence[DestinationEvents]) -> Sequence[Slice[Event]]:
        found = await self.service.events_of_destinations(self.viewer, wanted)
        return [found[one] for one in wanted]

    async def _load_events(self, ids: Sequence[int]) -> Sequence[Event | None]:
        found = await self.service.find_events(self.viewer, ids)
        return [found.get(id_) for id_ in ids]


async def _load_past_checks(wanted: Sequence[tuple[int, Bounds[int]]]) -> Sequence[Slice[Seen]]:
    """One statement for each page that is asked for, of all destinations together."""
    by_page: dict[Bounds[int], set[int]] = {}
    for destination_id, bounds in wanted:
        by_page.setdefault(bounds, set()).add(destination_id)
    found = {bounds: await past_checks(ids, bounds) for bounds, ids in by_page.items()}
    return [found[bounds][destination_id] for destination_id, bounds in wanted]
