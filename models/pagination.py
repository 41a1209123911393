"""`Page`, the numbered part of a list that REST shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")

DEFAULT_SIZE = 15
MAX_SIZE = 100
MAX_NUMBER = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[Row]):
    """Page `number`, counted from 1, of `total` rows in pages of `size`; empty beyond the last one."""

    rows: Sequence[Row]
    number: int
    size: int
    total: int

    @property
    def last_number(self) -> int:
        """The number of the last page; 1 when there is no row at all."""
        return max(1, -(-self.total // self.size))

    @property
    def first_position(self) -> int | None:
        """The position of the first row in the whole list, counted from 1; None on an empty page."""
        return (self.number - 1) * self.size + 1 if self.rows else None

    @property
    def last_position(self) -> int | None:
        """The position of the last row in the whole list; None on an empty page."""
        return (self.number - 1) * self.size + len(self.rows) if self.rows else None
