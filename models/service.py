"""`DestinationService`: everything a viewer can do with backup destinations, the viewer first in every signature.

Both doors call it, so a rule, a refusal and an event stand here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from models.accounts.abilities import Ability
from models.accounts.viewer import Viewer
from models.clock import current_second
from models.destinations.attributes import Attribute
from models.destinations.ownership import MAX_ID, own
from models.destinations.row import DestinationRow, from_model
from models.destinations.table import BackupDestination
from models.destinations.validation import Raw, parse
from models.events.event import Event
from models.events.event_stream import EventStreams
from models.events.history import events_of, events_slice
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
from models.reads.reads import BEHIND_EVERY_ID, PageSpan, Reads, Span
from models.vault.vault import Vault
from models.writes.write import Seen, Writes


class DestinationService:
    """The acts on backup destinations; what an act changes and its event are of one transaction."""

    def __init__(self, vault: Vault, streams: EventStreams | None = None, reads: Reads | None = None) -> None:
        """`streams` are told when something has happened; `reads` are shared with whoever looks tokens up."""
        self._vault = vault
        self._streams = streams or EventStreams()
        self._reads = reads or Reads()
        self._writes = Writes()

    async def page(self, viewer: Viewer, *, number: int, size: int) -> Page[DestinationRow]:
        """The viewer's destinations by id ascending, page `number` (from 1) of pages of `size`.

        A page behind the middle is looked for from the end; its rows, which may be brief, and its total are of one
        moment.
        """
        viewer.require(Ability.VIEW)
        total, skip = viewer.destination_count, (number - 1) * size
        rows: Sequence[DestinationRow] = ()
        if skip >= total:
            return Page(rows=rows, number=number, size=size, total=total)
        if skip == 0:
            rows = await self._reads.beginning(viewer.user_id, size) or ()
        else:
            wanted = PageSpan(viewer.user_id, skip, size, from_end=skip > total // 2)
            found = await self._reads.page(wanted)
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
        in_full: bool = True,
    ) -> Slice[DestinationRow]:
        """A part of the viewer's destinations that `chosen` lets through, in that order, by key.

        Its rows may be brief unless they are wanted `in_full`.
        """
        viewer.require(Ability.VIEW)
        is_whole_list = chosen is EVERYTHING or chosen.is_empty
        if not is_whole_list or (order is not BY_ID and order != BY_ID):
            return await slice_of(viewer.user_id, bounds, chosen, order)
        if bounds.after is None and bounds.before is None and not bounds.from_end and not in_full:
            return Slice.of(await self._reads.beginning(viewer.user_id, bounds.size + 1) or (), bounds)
        after_id = 0 if bounds.after is None else bounds.after.id
        before_id = BEHIND_EVERY_ID if bounds.before is None else bounds.before.id
        span = Span(viewer.user_id, after_id, before_id, bounds.size + 1, bounds.from_end, in_full)
        return Slice.of(await self._reads.span(span) or (), bounds)

    async def count(self, viewer: Viewer, chosen: DestinationFilter) -> int:
        """How many of the viewer's destinations `chosen` lets through."""
        viewer.require(Ability.VIEW)
        return viewer.destination_count if chosen.is_empty else await count_of(viewer.user_id, chosen)

    async def find(self, viewer: Viewer, destination_id: int) -> DestinationRow | None:
        """One of the viewer's destinations, or None; those asked for at one moment are read together."""
        viewer.require(Ability.VIEW)
        row = await self._reads.destination(destination_id) if 0 < destination_id <= MAX_ID else None
        return None if row is None or row.user_id != viewer.user_id else row

    async def events(self, viewer: Viewer, bounds: Bounds[int]) -> Slice[Event]:
        """A part of what happened to the viewer's destinations, newest first; positions are event ids."""
        viewer.require(Ability.VIEW)
        return await events_slice(viewer.user_id, bounds)

    async def find_events(self, viewer: Viewer, event_ids: Iterable[int]) -> dict[int, Event]:
        """Those of the events that happened to the viewer's destinations, by id."""
        viewer.require(Ability.VIEW)
        return await events_of(viewer.user_id, event_ids)

    async def create(self, viewer: Viewer, raw: Raw, *, strict: bool = False) -> DestinationRow:
        """Store a new destination; raises `AbilityMissing` or `ValidationFailed`."""
        viewer.require(Ability.CREATE)
        row = BackupDestination.new(viewer.user_id, parse(raw, strict=strict), self._vault)
        await self._writes.add(viewer, row)
        self._streams.wake([viewer.user_id])
        return from_model(row)

    async def look(self, viewer: Viewer, destination_id: int) -> Seen | None:
        """Look at a destination before it is changed, for `update`, which then need not; raises as `get` does."""
        viewer.require(Ability.UPDATE)
        seen = await self._writes.look(viewer, destination_id)
        if seen is None:
            await self.get(viewer, destination_id, ability=Ability.UPDATE)
        return seen

    async def update(
        self, viewer: Viewer, destination_id: int, raw: Raw, *, strict: bool = False, seen: Seen | None = None
    ) -> DestinationRow:
        """Change the attributes that are given; a change of nothing leaves `updated_at` and stores no event.

        Raises as `get` does, and `ValidationFailed` for the merged row. `seen` is what `look` has answered.
        """
        viewer.require(Ability.UPDATE)

        def change(row: BackupDestination) -> Sequence[Attribute]:
            now = current_second()
            changed = row.assign(parse(raw, current=row, strict=strict), self._vault, now)
            if changed:
                row.updated_at = now
            return changed

        row, has_changed = await self._writes.change(viewer, destination_id, change, seen)
        if has_changed:
            self._streams.wake([viewer.user_id])
        return from_model(row)

    async def delete(self, viewer: Viewer, destination_id: int) -> None:
        """Remove a destination, its sealed credentials with it; raises as `get` does."""
        viewer.require(Ability.DELETE)
        await self._writes.remove(viewer, destination_id)
        self._streams.wake([viewer.user_id])
