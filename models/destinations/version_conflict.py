"""The refusal of a change that is meant for another version of a destination than the current one."""

from __future__ import annotations

from models.destinations.row import DestinationRow
from models.errors import Refusal


class VersionConflict(Refusal):
    """The destination is not of the version that the client expected; `row` is the current one."""

    def __init__(self, row: DestinationRow) -> None:
        super().__init__("The backup destination has changed since the version that was expected")
        self.row = row
