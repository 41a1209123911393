"""What became of the operations of clients, counted by code for `/metrics`, over whatever transport they came."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from schema.errors import Code

OK = "OK"
_ERRORS = b'"errors":['
_CODES_IN = re.compile(rb'"code":"([A-Z_]{1,40})"')
_KNOWN = frozenset(code.value.encode() for code in Code)


class Outcomes:
    """The outcomes of one process: `OK`, or the code of the first error. Only codes of `Code` are counted."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """`OK` without what the fast path answered, which is always that."""

    @property
    def errors(self) -> dict[str, float]:
        """Those that are not `OK`."""
        return {outcome: count for outcome, count in self.counts.items() if outcome != OK}

    def note(self, text: bytes) -> None:
        """Count a response in JSON."""
        if not self.note_errors(text):
            self.counts[OK] += 1

    def note_ok(self) -> None:
        """Count a response without errors, or a subscription that has begun."""
        self.counts[OK] += 1

    def note_code(self, code: Code) -> None:
        """Count a refusal."""
        self.counts[code.value] += 1

    def note_errors(self, text: bytes) -> bool:
        """Count a response in JSON if it has errors, and return whether it has.

        A name in it may look like an error's code, but a client chooses none that is not of `Code`.
        """
        if _ERRORS not in text:
            return False
        found = (code for code in _CODES_IN.findall(text) if code in _KNOWN)
        self.counts[next(found, Code.INTERNAL_SERVER_ERROR.value.encode()).decode()] += 1
        return True

    def note_events(self, texts: Iterable[bytes]) -> None:
        """Count the responses of a subscription that have errors; that it began was counted."""
        for text in texts:
            self.note_errors(text)
