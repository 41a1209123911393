"""Records the outcome and duration of the steps of one check."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from models.checks.report import CheckCode, CheckDepth, CheckHint, CheckOutcome, CheckStep, CheckStepName, all_steps


class StepFailed(Exception):
    """A step failed with `code`.

    `step` is set where the failed step is another than the one that runs. `region`, `host` and `location` are what the
    store says about the place of the bucket: not to be shown or used before they were compared with what is known.
    """

    def __init__(
        self,
        code: CheckCode,
        *,
        step: CheckStepName | None = None,
        region: str | None = None,
        host: str | None = None,
        location: str | None = None,
        store_code: str | None = None,
        hint: CheckHint | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.step = step
        self.region = region
        self.host = host
        self.location = location
        self.store_code = store_code
        self.hint = hint


class Steps:
    """The steps of one check, run in order until one fails or all that were asked for passed."""

    def __init__(self, depth: CheckDepth, *, page: str | None = None) -> None:
        """`page` is the path of the page about the store."""
        self._depth = depth
        self._page = page
        self._results: dict[CheckStepName, CheckStep] = {}
        self._started_at = time.perf_counter()

    @property
    def results(self) -> tuple[CheckStep, ...]:
        """The steps in order; those that did not run are SKIPPED."""
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
            # A store that redirects to another region does so before it verifies the signature, and one that denies
            # access need not say whether it knows the keys or has the bucket.
            if at in names and failure.code not in (CheckCode.WRONG_REGION, CheckCode.ACCESS_DENIED):
                self._record_passed(names[: names.index(at)])
            self._record_failed(at, failure)
            raise
        self._record_passed(names)

    def prove(self, *names: CheckStepName) -> None:
        """Record steps as passed that a later step would not have passed without; keeps recorded outcomes."""
        for name in names:
            if name not in self._results:
                self._results[name] = CheckStep(name=name, outcome=CheckOutcome.PASSED)

    def skip(self, name: CheckStepName) -> None:
        """Record a step that does not apply."""
        self._record(name, CheckOutcome.SKIPPED)

    def time_out(self) -> None:
        """Record TIMEOUT for the step that was running at the deadline, unless a step had failed before."""
        if self.failed_at is not None:
            return
        name = next((step for step in self._depth.steps if step not in self._results), None)
        if name is not None:
            self._record_failed(name, StepFailed(CheckCode.TIMEOUT))

    def _record_passed(self, names: tuple[CheckStepName, ...]) -> None:
        for name in names:
            self._record(name, CheckOutcome.PASSED)

    def _record_failed(self, name: CheckStepName, failure: StepFailed) -> None:
        self._results[name] = CheckStep(
            name=name,
            outcome=CheckOutcome.FAILED,
            code=failure.code,
            duration_ms=self._elapsed_ms(),
            store_code=failure.store_code,
            hint=failure.hint,
            documentation=self._page,
        )

    def _record(self, name: CheckStepName, outcome: CheckOutcome) -> None:
        duration_ms = self._elapsed_ms()
        duration_ms = 0 if outcome is CheckOutcome.SKIPPED else duration_ms
        self._results[name] = CheckStep(name=name, outcome=outcome, duration_ms=duration_ms)

    def _elapsed_ms(self) -> int:
        started_at, self._started_at = self._started_at, time.perf_counter()
        return round((self._started_at - started_at) * 1_000)
