"""Results: tables for people, as wide as the terminal, and JSON for machines.

Where the output is piped nothing is cut or folded. On a terminal too narrow for a table, each row is a few lines of its
own. Where the terminal's encoding lacks a character, its escape is printed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

PIPED_WIDTH = 1_000_000
"""More than any table is wide, in characters."""
Command = Callable[..., Any]


def with_json(command: Command) -> Command:
    """The option `--json`, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(command)


def print_json(value: object) -> None:
    """Print a value as JSON, in ASCII."""
    print(json.dumps(value, indent=2))


def print_table(table: Table) -> None:
    """Print a table of cells without markup and emoji codes, which are texts of users."""
    from rich.console import Console
    from rich.measure import Measurement

    width = get_terminal_size().columns if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(markup=False, emoji=False, highlight=False, width=width)
    if Measurement.get(console, console.options.update(max_width=PIPED_WIDTH), table).minimum <= width:
        with console.capture() as lines:  # written here, because the library ends the process where the reader is gone
            console.print(table)
        print(lines.get(), end="")
        return
    for row in zip(*(column.cells for column in table.columns), strict=True):
        for column, cell in zip(table.columns, row, strict=True):
            print(f"{column.header}: {' '.join(str(cell).split())}")
        print()


def printable(text: str) -> str:
    """Text without control characters: users wrote it, and the operator's terminal would obey them."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
