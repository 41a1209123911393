"""`DestinationService`: everything a viewer can do with backup destinations, the viewer first in every signature.

Both doors call it, so a rule, a refusal and an event stand here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tortoise.transactions import in_transaction

from models.abilities import Ability
from models.attributes import Raw, parse
from models.backup_destination import BackupDestination
from models.clock import current_second
from models.errors import DestinationForbidden, DestinationNotFound
from models.event import Event, EventKind
from models.event_stream import EventStreams
from models.history import events_of, events_slice
from models.kinds import Attribute
from models.listing import DestinationFilter, DestinationOrder, DestinationPosition, count_of, slice_of
from models.pagination import Bounds, Page, Slice
from models.vault import Vault
from models.viewer import Viewer

MAX_ID = 2**31 - 1
"""The greatest id a row can have; GraphQL's `Int` ends there too."""


class DestinationService:
    """The acts on backup destinations; every act is one transaction."""

    def __init__(self, vault: Vault, streams: EventStreams | None = None) -> None:
        """`streams` are told when something has happened."""
        self._vault = vault
        self._streams = streams or EventStreams()

    async def page(self, viewer: Viewer, *, number: int, size: int) -> Page[BackupDestination]:
        """The viewer's destinations by id ascending, page `number` (from 1) of pages of `size`."""
        viewer.require(Ability.VIEW)
        total = viewer.destination_count
        offset = (number - 1) * size
        rows: Sequence[BackupDestination] = []
        if offset < total:
            rows = await BackupDestination.filter(user_id=viewer.user_id).order_by("id").offset(offset).limit(size)
        return Page(rows=rows, number=number, size=size, total=total)

    async def get(self, viewer: Viewer, destination_id: int, *, ability: Ability = Ability.VIEW) -> BackupDestination:
        """One of the viewer's destinations, for an operation that needs `ability`.

        Raises `AbilityMissing`, then `DestinationNotFound`, then `DestinationForbidden`.
        """
        viewer.require(ability)
        return await _own(viewer, destination_id)

    async def slice(
        self,
        viewer: Viewer,
        bounds: Bounds[DestinationPosition],
        *,
        chosen: DestinationFilter,
        order: DestinationOrder,
    ) -> Slice[BackupDestination]:
        """A part of the viewer's destinations that `chosen` lets through, in that order, by key."""
        viewer.require(Ability.VIEW)
        return await slice_of(viewer.user_id, bounds, chosen, order)

    async def count(self, viewer: Viewer, chosen: DestinationFilter) -> int:
        """How many of the viewer's destinations `chosen` lets through."""
        viewer.require(Ability.VIEW)
        return viewer.destination_count if chosen.is_empty else await count_of(viewer.user_id, chosen)

    async def find(self, viewer: Viewer, destination_ids: Iterable[int]) -> dict[int, BackupDestination]:
        """Those of the destinations that are the viewer's, by id."""
        viewer.require(Ability.VIEW)
        wanted = {id_ for id_ in destination_ids if 0 < id_ <= MAX_ID}
        rows = await BackupDestination.filter(id__in=sorted(wanted), user_id=viewer.user_id) if wanted else ()
        return {row.id: row for row in rows}

    async def events(self, viewer: Viewer, bounds: Bounds[int]) -> Slice[Event]:
        """A part of what happened to the viewer's destinations, newest first; positions are event ids."""
        viewer.require(Ability.VIEW)
        return await events_slice(viewer.user_id, bounds)

    async def find_events(self, viewer: Viewer, event_ids: Iterable[int]) -> dict[int, Event]:
        """Those of the events that happened to the viewer's destinations, by id."""
        viewer.require(Ability.VIEW)
        return await events_of(viewer.user_id, event_ids)

    async def create(self, viewer: Viewer, raw: Raw, *, strict: bool = False) -> BackupDestination:
        """Store a new destination; raises `AbilityMissing` or `ValidationFailed`."""
        viewer.require(Ability.CREATE)
        row = BackupDestination.new(viewer.user_id, parse(raw, strict=strict), self._vault)
        async with in_transaction():
            await row.save(force_create=True)
            await _record(viewer, EventKind.CREATED, row)
        self._streams.wake([viewer.user_id])
        return row

    async def update(self, viewer: Viewer, destination_id: int, raw: Raw, *, strict: bool = False) -> BackupDestination:
        """Change the attributes that are given; a change of nothing leaves `updated_at` and stores no event.

        Raises as `get` does, and `ValidationFailed` for the merged row.
        """
        viewer.require(Ability.UPDATE)
        async with in_transaction():
            row = await _own(viewer, destination_id, locked=True)
            attributes = parse(raw, current=row, strict=strict)
            now = current_second()
            changed = row.assign(attributes, self._vault, now)
            if changed:
                row.updated_at = now
                await row.save(update_fields=[*(a.value for a in changed), "credentials_set_at", "updated_at"])
                await _record(viewer, EventKind.UPDATED, row, changed)
        if changed:
            self._streams.wake([viewer.user_id])
        return row

    async def delete(self, viewer: Viewer, destination_id: int) -> None:
        """Remove a destination, its sealed credentials with it; raises as `get` does."""
        viewer.require(Ability.DELETE)
        async with in_transaction():
            row = await _own(viewer, destination_id, locked=True)
            await row.delete()
            await _record(viewer, EventKind.DELETED, row)
        self._streams.wake([viewer.user_id])


async def _own(viewer: Viewer, destination_id: int, *, locked: bool = False) -> BackupDestination:
    """The row, if it is the viewer's. `locked` keeps it from other transactions (SQLite's lock is the whole file)."""
    if not 0 < destination_id <= MAX_ID:
        raise DestinationNotFound
    query = BackupDestination.filter(id=destination_id)
    row = await (query.select_for_update() if locked else query).first()
    if row is None:
        raise DestinationNotFound
    if row.user_id != viewer.user_id:
        raise DestinationForbidden
    return row


async def _record(viewer: Viewer, kind: EventKind, row: BackupDestination, changed: Sequence[Attribute] = ()) -> None:
    """Store what happened. Comes after the change itself, whose trigger has locked the user's row: see `Event`."""
    await Event.create(
        user_id=viewer.user_id,
        kind=kind,
        destination_id=row.id,
        label=row.label,
        changed_fields=" ".join(changed),
        protocol=viewer.protocol,
        token_id=viewer.token_id,
        token_name=viewer.token_name,
        occurred_at=current_second(),
    )
