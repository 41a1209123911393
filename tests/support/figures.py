"""How large a test is, and the figures it measured.

The gate runs every test in its short form. `make hostile` and `make reliability` set MOORINGS_FULL=1 and run the same
tests in full; at the end they print what each handed to the `figure` fixture.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import pytest

FULL = os.environ.get("MOORINGS_FULL") == "1"
"""Whether tests run in full."""
PROPERTY = "figure"


def amount(short: int, full: int) -> int:
    """A count for the gate, or the one of the full form."""
    return full if FULL else short


def lines(reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    """A row of a Markdown table for each figure of the reports, in the order of the tests' names."""
    for report in sorted(reports, key=lambda report: report.nodeid):
        for name, text in report.user_properties:
            if name == PROPERTY:
                yield f"| `{report.nodeid.removeprefix('tests/')}` | {text} |"
