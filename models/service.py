"""`DestinationService`: everything a viewer can do with backup destinations, the viewer first in every signature.

Both APIs call it, so each rule, refusal and event is written here once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence

from tortoise.exceptions import IntegrityError

from models.accounts.abilities import Ability
from models.accounts.user import require_user
from models.accounts.viewer import Viewer
from models.audit.entry import AuditKind
from models.audit.recording import log_act
from models.clock import current_second
from models.destinations.attributes import Attribute
from models.destinations.ownership import MAX_ID, own
from models.destinations.row import DestinationRow, from_model
from models.destinations.table import BackupDestination
from models.destinations.validation import Raw, parse
from models.destinations.version_conflict import VersionConflict
from models.errors import Unauthenticated
from models.events.event import Event
from models.events.event_stream import EventStreams
from models.events.history import (
    EVERY_EVENT,
    DestinationEvents,
    EventFilter,
    events_of,
    events_of_destinations,
    events_slice,
    newest_position,
    require_events,
)
from models.pagination import Bounds, Page, Slice
from models.reads.listing import (
    BY_ID,
    EVERYTHING,
    DestinationFilter,
    DestinationOrder,
    DestinationPosition,
    count_of,
    slice_of,
)
from models.reads.reads import ID_LIMIT, KeyRange, NumberedPage, Reads, kinds_text
from models.vault.vault import Vault
from models.writes.idempotency import FirstResult, IdempotencyKeys, KeyedAct
from models.writes.write import RowSnapshot, Writes

MAX_SHARED_SEARCH = 1_000
"""Destinations of a user whose rows are searched in a statement that other users' requests wait for."""


class DestinationService:
    """The operations on backup destinations; a change and its event are of one transaction."""

    def __init__(
        self, vault: Vault, streams: EventStreams, reads: Reads, writes: Writes, keys: IdempotencyKeys
    ) -> None:
        """`streams` are woken after a change; `reads` are shared with the lookups of tokens."""
        self._keys = keys
        self._vault = vault
        self._streams = streams
        self._reads = reads
        self._writes = writes

    async def page(self, viewer: Viewer, *, number: int, size: int) -> Page[DestinationRow]:
        """The viewer's destinations by id ascending, page `number` (from 1) of pages of `size`.

        A page behind the middle is read from the end. Its rows, which may have the `LIST_COLUMNS` only, and its total
        are from one statement.
        """
        viewer.require(Ability.VIEW)
        total, skip = viewer.destination_count, (number - 1) * size
        rows: Sequence[DestinationRow] = ()
        if skip >= total:
            return Page(rows=rows, number=number, size=size, total=total)
        if skip == 0:
            rows = await self._reads.first_page(viewer.user_id, size) or ()
        else:
            wanted = NumberedPage(viewer.user_id, skip, size, from_end=skip > total // 2)
            found = await self._reads.numbered_page(wanted)
            if found is not None:
                rows, total = found
        return Page(rows=rows, number=number, size=size, total=total)

    async def get(self, viewer: Viewer, destination_id: int, *, ability: Ability = Ability.VIEW) -> DestinationRow:
        """One of the viewer's destinations, for an operation that needs `ability`.

        Raises `AbilityMissing`, then `DestinationNotFound`, then `DestinationForbidden`.
        """
        viewer.require(ability)
        row = await self._reads.destination(destination_id) if 0 < destination_id <= MAX_ID else None
        return own(viewer, row)

    async def slice(
        self,
        viewer: Viewer,
        bounds: Bounds[DestinationPosition],
        *,
        chosen: DestinationFilter,
        order: DestinationOrder,
        all_columns: bool = True,
    ) -> Slice[DestinationRow]:
        """A part of the viewer's destinations that match `chosen`, in that order, by key.

        Without `all_columns` its rows may have the `LIST_COLUMNS` only.
        """
        viewer.require(Ability.VIEW)
        kinds = ""
        is_shared = order is BY_ID or order == BY_ID
        if is_shared and chosen is not EVERYTHING and not chosen.is_empty:
            is_shared = chosen.is_of_kinds_alone and viewer.destination_count <= MAX_SHARED_SEARCH
            kinds = kinds_text(chosen.kinds or ())
        if not is_shared:
            return await slice_of(viewer.user_id, bounds, chosen, order)
        if not kinds and bounds.after is None and bounds.before is None and not bounds.from_end and not all_columns:
            return Slice.of(await self._reads.first_page(viewer.user_id, bounds.size + 1) or (), bounds)
        after_id = 0 if bounds.after is None else bounds.after.id
        before_id = ID_LIMIT if bounds.before is None else bounds.before.id
        key_range = KeyRange(viewer.user_id, after_id, before_id, bounds.size + 1, bounds.from_end, all_columns, kinds)
        return Slice.of(await self._reads.key_range(key_range) or (), bounds)

    async def count(self, viewer: Viewer, chosen: DestinationFilter) -> int:
        """How many of the viewer's destinations match `chosen`."""
        viewer.require(Ability.VIEW)
        return viewer.destination_count if chosen.is_empty else await count_of(viewer.user_id, chosen)

    def find(self, viewer: Viewer, destination_id: int) -> Awaitable[DestinationRow | None]:
        """One of the viewer's destinations, or None; lookups that wait together share a statement.

        A future, so that many of them are waited for without a task for each. Raises `AbilityMissing` at once.
        """
        viewer.require(Ability.VIEW)
        return self._reads.destination(destination_id if 0 < destination_id <= MAX_ID else 0, viewer.user_id)

    async def events(self, viewer: Viewer, bounds: Bounds[int], *, chosen: EventFilter = EVERY_EVENT) -> Slice[Event]:
        """A part of the viewer's events that match `chosen`, newest first; positions are event ids.

        Raises `EventUnknown`.
        """
        viewer.require(Ability.VIEW)
        await require_events(viewer.user_id, [id_ for id_ in (bounds.after, bounds.before) if id_ is not None])
        return await events_slice(viewer.user_id, bounds, chosen)

    async def events_of_destinations(
        self, viewer: Viewer, wanted: Sequence[DestinationEvents]
    ) -> dict[DestinationEvents, Slice[Event]]:
        """A part of the events of each of these destinations of the viewer's; raises `EventUnknown`."""
        viewer.require(Ability.VIEW)
        await require_events(viewer.user_id, {one.bounds.after for one in wanted if one.bounds.after is not None})
        return await events_of_destinations(viewer.user_id, wanted)

    async def newest_position(self, viewer: Viewer) -> int:
        """The end of the viewer's events, for a stream that goes on from there."""
        viewer.require(Ability.VIEW)
        return await newest_position(viewer.user_id)

    async def find_events(self, viewer: Viewer, event_ids: Iterable[int]) -> dict[int, Event]:
        """The events with these ids that belong to the viewer, by id."""
        viewer.require(Ability.VIEW)
        return await events_of(viewer.user_id, event_ids)

    async def at_current_revision(self, viewer: Viewer) -> Viewer:
        """The viewer as a fresh lookup of the token has it; raises `Unauthenticated`."""
        token = None if viewer.token_id is None else await self._reads.token(viewer.token_id)
        if token is None or not token.is_valid():
            raise Unauthenticated
        return viewer._replace(
            revision=token.revision,
            checks_revision=token.checks_revision,
            destination_count=token.destination_count,
        )

    async def first_result(self, viewer: Viewer, keyed: KeyedAct) -> FirstResult | None:
        """The result of an act that was carried out before under its Idempotency-Key; raises `IdempotencyKeyReused`."""
        return await self._keys.find(viewer, keyed)

    async def create(
        self, viewer: Viewer, raw: Raw, *, strict: bool = False, keyed: KeyedAct | None = None
    ) -> DestinationRow:
        """Store a new destination.

        Raises `AbilityMissing`, `ValidationFailed`, `Unauthenticated` for a user who was deleted meanwhile, and as
        `IdempotencyKeys.run` does.
        """
        viewer.require(Ability.CREATE)

        async def act() -> DestinationRow:
            row = BackupDestination.new(viewer.user_id, parse(raw, strict=strict), self._vault)
            await self._writes.add(viewer, row)
            return from_model(row)

        try:
            if keyed is None:
                first = FirstResult(await act(), is_replayed=False)
            else:
                first = await self._keys.run(viewer, keyed, act)
        except IntegrityError:
            await require_user(viewer.user_id)
            raise
        row = _there(first)
        if first.is_replayed:
            return row
        _log(viewer, AuditKind.DESTINATION_CREATED, row.id)
        self._streams.note_change(viewer.user_id)
        return row

    async def snapshot(self, viewer: Viewer, destination_id: int) -> RowSnapshot | None:
        """Read a destination before a change, for `update` to start from; raises as `get` does."""
        viewer.require(Ability.UPDATE)
        snapshot = await self._writes.snapshot(viewer, destination_id)
        if snapshot is None:
            await self.get(viewer, destination_id, ability=Ability.UPDATE)
        return snapshot

    async def update(
        self,
        viewer: Viewer,
        destination_id: int,
        raw: Raw,
        *,
        strict: bool = False,
        snapshot: RowSnapshot | None = None,
        expected_version: int | None = None,
        keyed: KeyedAct | None = None,
    ) -> DestinationRow:
        """Change the attributes that are given; a change of nothing leaves `updated_at` and stores no event.

        Raises as `get` does, `VersionConflict`, `ValidationFailed` for the merged row, and with a key what
        `IdempotencyKeys.run` raises. `snapshot` comes from `snapshot()`.
        """
        viewer.require(Ability.UPDATE)

        def change(row: BackupDestination) -> Sequence[Attribute]:
            if expected_version not in (None, row.version):
                raise VersionConflict(from_model(row))
            now = max(current_second(), row.updated_at)  # a clock that was set back makes no row older than it was
            changed = row.assign(parse(raw, current=row, strict=strict), self._vault, now)
            if changed:
                row.updated_at = now
            return changed

        changed: Sequence[Attribute] = ()

        async def act() -> DestinationRow:
            nonlocal changed
            start = None if keyed else snapshot  # which would join a statement outside of the key's transaction
            row, changed = await self._writes.change(viewer, destination_id, change, start)
            return from_model(row)

        row = await act() if keyed is None else _there(await self._keys.run(viewer, keyed, act))
        if changed:
            is_elsewhere = {Attribute.ENDPOINT, Attribute.KIND}.intersection(changed)
            kind = AuditKind.DESTINATION_ENDPOINT_CHANGED if is_elsewhere else AuditKind.DESTINATION_UPDATED
            _log(viewer, kind, row.id, changed=" ".join(changed))
            self._streams.note_change(viewer.user_id)
        return row

    async def delete(
        self,
        viewer: Viewer,
        destination_id: int,
        *,
        expected_version: int | None = None,
        keyed: KeyedAct | None = None,
    ) -> None:
        """Remove a destination, its sealed credentials with it; raises as `update` does."""
        viewer.require(Ability.DELETE)

        async def act() -> None:
            await self._writes.remove(viewer, destination_id, expected_version=expected_version)

        if keyed is None:
            await act()
        elif (await self._keys.run(viewer, keyed, act)).is_replayed:
            return
        _log(viewer, AuditKind.DESTINATION_DELETED, destination_id)
        self._streams.note_change(viewer.user_id)


def _log(viewer: Viewer, kind: AuditKind, destination_id: int, **detail: str) -> None:
    """Write the line of an entry of the audit, which the database has stored together with the event."""
    log_act(viewer.origin, kind, f"destination {destination_id}", **detail)


def _there(first: FirstResult) -> DestinationRow:
    """The row of an act that leaves one."""
    assert first.row is not None  # noqa: S101 - only a removal leaves none
    return first.row
