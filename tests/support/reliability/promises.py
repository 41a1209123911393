"""The table of docs/reliability.md: what is promised, which tests hold it, and what they measured in one run in full.

Promises and tests are written by hand; `make reliability` writes the figures between them and the lines above them.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.figures import PROPERTY
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "reliability.md"
BEGIN = "<!-- The figures up to the end are written by `make reliability`; the promises and the tests by hand. -->"
END = "<!-- The end of the figures. -->"
HEAD = "| promise | test | figure |\n|---|---|---|"
NOT_RUN = "not run"
_REFERENCE = re.compile(r"`(tests/[^`]+)`")


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """One row: what is promised, and the cell that names its tests."""

    text: str
    cell: str
    figure: str

    @property
    def references(self) -> Sequence[str]:
        """Files or folders, or single tests of a file as `pytest` takes them: `path::name`."""
        return _REFERENCE.findall(self.cell)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What a run says of one test with one set of parameters."""

    test: str
    """As `path::name`, without its parameters."""
    seconds: float
    has_passed: bool
    figures: Sequence[str]


def promises(page: str) -> list[Promise]:
    """The rows of the page."""
    _, _, rest = page.partition(BEGIN)
    table, end, _ = rest.partition(END)
    assert end, f"docs/reliability.md has no table between {BEGIN} and {END}"
    _, _, rows = table.partition(HEAD)
    found = []
    for line in rows.strip().splitlines():
        text, cell, figure = (each.strip() for each in line.strip("|").split(" | "))
        found.append(Promise(text=text, cell=cell, figure=figure))
    return found


def is_of(reference: str, test: str) -> bool:
    """Whether a reference names a test, or its file, or a folder of it."""
    return test == reference or test.startswith((f"{reference}::", f"{reference}/"))


def held_by(test: str, rows: Iterable[Promise]) -> Promise | None:
    """The row of a test: the one that names it, or else the one that names its file or folder."""
    named = [(len(each), row) for row in rows for each in row.references if is_of(each, test)]
    return max(named, key=lambda each: each[0])[1] if named else None


def of_report(junit: Path) -> Iterator[Ran]:
    """The tests of a report that pytest wrote with `--junitxml`."""
    for case in ElementTree.parse(junit).iter("testcase"):  # noqa: S314 - what pytest wrote
        module, name = case.get("classname", ""), case.get("name", "")
        yield Ran(
            test=f"{module.replace('.', '/')}.py::{name.partition('[')[0]}",
            seconds=float(case.get("time", "0")),
            has_passed=all(case.find(outcome) is None for outcome in ("failure", "error", "skipped")),
            figures=[each.get("value", "") for each in case.iter("property") if each.get("name") == PROPERTY],
        )


def cell_of(ran: Sequence[Ran]) -> str:
    """The figures of a row's tests, in the order in which they ran."""
    if not ran:
        return NOT_RUN
    failed = dict.fromkeys(each.test.rpartition("::")[2] for each in ran if not each.has_passed)
    parts = [f"**failed: {', '.join(f'`{name}`' for name in failed)}**"] if failed else []
    parts += [figure for each in ran for figure in each.figures]
    tests = "1 test" if len(ran) == 1 else f"{len(ran)} tests"
    return "; ".join([*parts, f"{tests} in {sum(each.seconds for each in ran):.0f} s"]).replace("|", "/")


def with_figures(page: str, ran: Sequence[Ran], about: str) -> str:
    """The page with the figures of a run, and a paragraph about it above them."""
    rows = promises(page)
    of_row: Mapping[int, list[Ran]] = {id(row): [] for row in rows}
    for each in ran:
        row = held_by(each.test, rows)
        if row is not None:
            of_row[id(row)].append(each)
    table = "\n".join([HEAD, *(f"| {row.text} | {row.cell} | {cell_of(of_row[id(row)])} |" for row in rows)])
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{about}\n\n{table}\n\n{END}{after}"
