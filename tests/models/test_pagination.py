"""The arithmetic of `Page`: its last number and the positions of its first and last row, for lists of every length."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.pagination import DEFAULT_SIZE, MAX_NUMBER, MAX_SIZE, Page


def page_of(total: int, *, number: int, size: int = DEFAULT_SIZE) -> Page[int]:
    """Page `number` of the integers from 1 to `total`, cut out as the database cuts it."""
    rows = range(1, total + 1)[(number - 1) * size : number * size]
    return Page(rows=rows, number=number, size=size, total=total)


@pytest.mark.parametrize(
    ("total", "size", "last_number"),
    [
        (0, 15, 1),
        (1, 15, 1),
        (14, 15, 1),
        (15, 15, 1),
        (16, 15, 2),
        (30, 15, 2),
        (31, 15, 3),
        (1, 1, 1),
        (2, 1, 2),
        (100, 100, 1),
        (101, 100, 2),
        (2**31 - 1, 100, 21_474_837),
    ],
)
def test_the_last_page_is_the_one_that_holds_the_last_row(total: int, size: int, last_number: int) -> None:
    """A page that is exactly full begets no empty one after it."""
    assert page_of(total, number=1, size=size).last_number == last_number


def test_a_list_without_rows_has_one_empty_page() -> None:
    """The document shows `last_page` 1, and no positions, for an empty list."""
    page = page_of(0, number=1)

    assert (page.last_number, page.first_position, page.last_position) == (1, None, None)


@pytest.mark.parametrize(
    ("number", "first", "last"), [(1, 1, 15), (2, 16, 30), (3, 31, 31), (4, None, None), (MAX_NUMBER, None, None)]
)
def test_positions_are_counted_from_one_through_the_whole_list(
    number: int, first: int | None, last: int | None
) -> None:
    """Beyond the last page there are none, however far beyond."""
    page = page_of(31, number=number)

    assert (page.first_position, page.last_position) == (first, last)


def test_a_page_that_lost_rows_since_they_were_counted_shows_the_positions_of_those_it_has() -> None:
    """The total and the rows may come from two moments; the positions speak of the rows."""
    page = Page(rows=[16, 17], number=2, size=15, total=30)

    assert (page.first_position, page.last_position, page.last_number) == (16, 17, 2)


def test_the_sizes_are_the_documents() -> None:
    """15 unless asked otherwise, and never more than 100."""
    assert (DEFAULT_SIZE, MAX_SIZE) == (15, 100)


@given(total=st.integers(0, 500), size=st.integers(1, MAX_SIZE))
@settings(derandomize=True, deadline=None, database=None)
def test_the_pages_together_show_every_row_once_and_in_order(total: int, size: int) -> None:
    """From the first page to the last no row is missing, none comes twice, and positions continue without a gap."""
    last_number = page_of(total, number=1, size=size).last_number
    pages = [page_of(total, number=number, size=size) for number in range(1, last_number + 1)]

    assert [row for page in pages for row in page.rows] == list(range(1, total + 1))
    for page in pages:
        assert page.last_number == last_number
        assert (page.first_position, page.last_position) == ((page.rows[0], page.rows[-1]) if total else (None, None))
    assert not page_of(total, number=last_number + 1, size=size).rows
