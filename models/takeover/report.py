"""What an import did, or in a dry run would do: numbers for each table, and a finding for each row that was special."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from models.takeover.source_rows import TABLES


class Finding(NamedTuple):
    """One row of the source, and what was decided of it. `sentence` never holds a value of an encrypted column."""

    table: str
    id: int
    code: str
    sentence: str
    is_refused: bool = False


@dataclass(kw_only=True, slots=True)
class Counts:
    """The rows of one table of the source, by what became of them; `removed` are those that are gone there."""

    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    refused: int = 0


@dataclass(kw_only=True, slots=True)
class Report:
    """The outcome of one run."""

    is_dry: bool = False
    counts: dict[str, Counts] = field(default_factory=lambda: {table: Counts() for table in TABLES})
    findings: list[Finding] = field(default_factory=list)
    highest_ids: dict[str, int] = field(default_factory=dict)

    def note(self, table: str, id_: int, code: str, sentence: str) -> None:
        """Report what was decided of a row that was taken."""
        self.findings.append(Finding(table, id_, code, sentence))

    def refuse(self, table: str, id_: int, code: str, sentence: str) -> None:
        """Report a row that was not taken."""
        self.counts[table].refused += 1
        self.findings.append(Finding(table, id_, code, sentence, is_refused=True))

    @property
    def is_clean(self) -> bool:
        """Whether every row was taken."""
        return not any(counts.refused for counts in self.counts.values())

    def sorted_findings(self) -> Sequence[Finding]:
        """The findings by table and id."""
        return sorted(self.findings, key=lambda each: (TABLES.index(each.table), each.id))
