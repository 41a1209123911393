"""Whose destination it is: the one place where a row is reached by its id, and the viewer is asked for."""

from __future__ import annotations

from typing import Protocol, TypeVar

from models.accounts.viewer import Viewer
from models.destinations.table import BackupDestination
from models.errors import DestinationForbidden, DestinationNotFound


class _Owned(Protocol):
    """A row in any form."""

    @property
    def user_id(self) -> int:
        """Whose it is."""


Row = TypeVar("Row", bound=_Owned)

MAX_ID = 2**31 - 1
"""The greatest id a row can have; GraphQL's `Int` ends there too."""


def own(viewer: Viewer, row: Row | None) -> Row:
    """The row, if it is the viewer's; raises `DestinationNotFound`, then `DestinationForbidden`."""
    if row is None:
        raise DestinationNotFound
    if row.user_id != viewer.user_id:
        raise DestinationForbidden
    return row


async def locked(viewer: Viewer, destination_id: int) -> BackupDestination:
    """The row, as `own`, kept from other transactions (SQLite's lock is the whole file).

    Another user's row is neither locked nor waited for: a refusal is of what a plain read finds.
    """
    if not 0 < destination_id <= MAX_ID:
        raise DestinationNotFound
    rows = BackupDestination.filter(id=destination_id)
    while (row := await rows.filter(user_id=viewer.user_id).select_for_update().first()) is None:
        own(viewer, await rows.first())  # raises, unless the row has become the viewer's since
    return row
