"""Tables for people: as wide as the terminal, and where the output is piped wide enough that nothing is cut."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

PIPED_WIDTH = 160
"""Width of a table, in characters, where the output is no terminal."""


def print_table(table: Table, *, piped_width: int = PIPED_WIDTH) -> None:
    """Print a table of cells without markup and emoji codes, which are texts of users."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else piped_width
    Console(markup=False, emoji=False, highlight=False, width=width).print(table)


def printable(text: str) -> str:
    """Text without control characters: users wrote it, and the operator's terminal would obey them."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
