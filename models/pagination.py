"""The two ways through a list: `Page`, numbered, as REST shows it, and `Slice`, by key, as GraphQL does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

Row = TypeVar("Row")
Position = TypeVar("Position")

DEFAULT_SIZE = 15
"""Of a page, and of a slice that asks for no size."""
MAX_SIZE = 100
MAX_NUMBER = 2**63 - 1


class Page(NamedTuple, Generic[Row]):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds(Generic[Position]):
    """Which part of an ordered list is wanted: `size` rows after one position and before another.

    `from_end` takes them from the end of that part; they come in the order of the list all the same.
    """

    size: int = DEFAULT_SIZE
    after: Position | None = None
    before: Position | None = None
    from_end: bool = False


class Slice(NamedTuple, Generic[Row]):
    """A part of an ordered list, and whether the list goes on behind it and before it."""

    rows: Sequence[Row]
    has_next: bool
    has_previous: bool

    @classmethod
    def of(cls, fetched: Sequence[Row], bounds: Bounds[Any]) -> Slice[Row]:
        """Make a slice of up to `bounds.size + 1` rows, fetched backwards when `bounds.from_end`."""
        more = len(fetched) > bounds.size
        rows = list(fetched[: bounds.size])
        if bounds.from_end:
            return cls(rows=rows[::-1], has_next=bounds.before is not None, has_previous=more)
        return cls(rows=rows, has_next=more, has_previous=bounds.after is not None)
