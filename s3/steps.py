"""Records how the rungs of one check go, and how long each takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from models.checks.report import CheckCode, CheckOutcome, CheckStep, CheckStepName, all_steps


class Stumbled(Exception):
    """A rung failed. `step` is the rung where it is not the one being climbed; `region` what the store asks for."""

    def __init__(self, code: CheckCode, *, step: CheckStepName | None = None, region: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.step = step
        self.region = region


class Ladder:
    """The rungs of one check, climbed in order until one fails or all wanted ones passed."""

    def __init__(self) -> None:
        self._found: dict[CheckStepName, CheckStep] = {}
        self._started_at = time.perf_counter()

    @property
    def steps(self) -> tuple[CheckStep, ...]:
        """All rungs; what was not reached is skipped."""
        return all_steps(self._found)

    @property
    def failed_at(self) -> CheckStepName | None:
        """The first rung that failed."""
        return next((step.name for step in self.steps if step.outcome is CheckOutcome.FAILED), None)

    @contextmanager
    def rung(self, *names: CheckStepName) -> Iterator[None]:
        """Climb a rung, or several that one answer decides; notes a `Stumbled` and lets it through."""
        self._started_at = time.perf_counter()
        try:
            yield
        except Stumbled as stumble:
            at = stumble.step or names[0]
            # A store that wants the bucket looked for elsewhere says so before it looks at the signature.
            if at in names and stumble.code is not CheckCode.WRONG_REGION:
                self._pass(names[: names.index(at)])
            self._note(at, CheckOutcome.FAILED, stumble.code)
            raise
        self._pass(names)

    def skip(self, name: CheckStepName) -> None:
        """Leave out a rung that does not apply."""
        self._note(name, CheckOutcome.SKIPPED)

    def run_out(self) -> None:
        """Note that the time was over while a rung was being climbed, unless one had failed by then."""
        if self.failed_at is not None:
            return
        name = next(step for step in CheckStepName if step not in self._found)
        self._note(name, CheckOutcome.FAILED, CheckCode.TIMEOUT)

    def _pass(self, names: tuple[CheckStepName, ...]) -> None:
        for name in names:
            self._note(name, CheckOutcome.PASSED)

    def _note(self, name: CheckStepName, outcome: CheckOutcome, code: CheckCode | None = None) -> None:
        now = time.perf_counter()
        duration_ms = 0 if outcome is CheckOutcome.SKIPPED else round((now - self._started_at) * 1_000)
        self._found[name] = CheckStep(name=name, outcome=outcome, code=code, duration_ms=duration_ms)
        self._started_at = now
