"""Records the outcome and duration of the steps of one check."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from models.checks.report import CheckCode, CheckOutcome, CheckStep, CheckStepName, all_steps


class StepFailed(Exception):
    """A step failed with `code`.

    `step` is set where the failed step is another than the one that runs; `region` is the region the store asks for.
    """

    def __init__(self, code: CheckCode, *, step: CheckStepName | None = None, region: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.step = step
        self.region = region


class Steps:
    """The steps of one check, run in order until one fails or all that were asked for passed."""

    def __init__(self) -> None:
        self._results: dict[CheckStepName, CheckStep] = {}
        self._started_at = time.perf_counter()

    @property
    def results(self) -> tuple[CheckStep, ...]:
        """All nine steps in order; those that did not run are SKIPPED."""
        return all_steps(self._results)

    @property
    def failed_at(self) -> CheckStepName | None:
        """The first step that failed, or None."""
        return next((step.name for step in self.results if step.outcome is CheckOutcome.FAILED), None)

    @contextmanager
    def run(self, *names: CheckStepName) -> Iterator[None]:
        """Run a step, or several that one response decides; records a `StepFailed` and raises it again."""
        self._started_at = time.perf_counter()
        try:
            yield
        except StepFailed as failure:
            at = failure.step or names[0]
            # A store that redirects to another region does so before it verifies the signature.
            if at in names and failure.code is not CheckCode.WRONG_REGION:
                self._record_passed(names[: names.index(at)])
            self._record(at, CheckOutcome.FAILED, failure.code)
            raise
        self._record_passed(names)

    def skip(self, name: CheckStepName) -> None:
        """Record a step that does not apply."""
        self._record(name, CheckOutcome.SKIPPED)

    def time_out(self) -> None:
        """Record TIMEOUT for the step that was running at the deadline, unless a step had failed before."""
        if self.failed_at is not None:
            return
        name = next(step for step in CheckStepName if step not in self._results)
        self._record(name, CheckOutcome.FAILED, CheckCode.TIMEOUT)

    def _record_passed(self, names: tuple[CheckStepName, ...]) -> None:
        for name in names:
            self._record(name, CheckOutcome.PASSED)

    def _record(self, name: CheckStepName, outcome: CheckOutcome, code: CheckCode | None = None) -> None:
        now = time.perf_counter()
        duration_ms = 0 if outcome is CheckOutcome.SKIPPED else round((now - self._started_at) * 1_000)
        self._results[name] = CheckStep(name=name, outcome=outcome, code=code, duration_ms=duration_ms)
        self._started_at = now
