"""`make reliability`: every test that docs/reliability.md names runs in full, and their figures are written there.

First those that measure what two cores carry, alone; then the soak, and beside it all others, two at a time, for most
of them wait for something. With arguments for pytest (`make reliability ARGS='-k kill'`) the page stays as it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import facts
from tests.support.paths import ROOT
from tests.support.reliability import promises

REPORTS = ROOT / ".cache" / "reliability"
SOAK = "tests/reliability/test_soak.py"
ALONE = (
    "tests/reliability/test_overload.py",
    "tests/reliability/test_events.py",
    "tests/reliability/test_neighbours.py",
    "tests/hostile/test_slow_clients.py",
)
"""What measures how soon clients are answered while the process is busy."""
NOTHING_RAN = 5
"""The status of pytest when no test was chosen."""


def started(name: str, *arguments: str, log: Path | None = None) -> subprocess.Popen[bytes]:
    """Pytest in full, with its report under that name, and its output in a file or for all to see."""
    # Only this form of report has room for a test's figures.
    report = ("-o", "junit_family=xunit1", f"--junitxml={REPORTS / name}.xml")
    command = [sys.executable, "-m", "pytest", *report, *arguments]
    environment = {**os.environ, "MOORINGS_FULL": "1"}
    if log is None:
        return subprocess.Popen(command, cwd=ROOT, env=environment)
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)


def files(rows: Sequence[promises.Promise]) -> list[str]:
    """The files and folders that the page names beside tests/reliability, and that."""
    named = dict.fromkeys(each.partition("::")[0] for row in rows for each in row.references)
    return ["tests/reliability", *(each for each in named if not each.startswith("tests/reliability/"))]


def is_good(status: int) -> bool:
    """Whether nothing failed, though perhaps nothing was chosen."""
    return status in (0, NOTHING_RAN)


def run(arguments: Sequence[str]) -> tuple[bool, list[promises.Ran]]:
    """Run all; return whether nothing failed, and what each test did."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    for old in REPORTS.iterdir():
        old.unlink()
    alone = started("alone", *ALONE, *arguments).wait()
    log = REPORTS / "soak.log"
    soaking = started("soak", SOAK, *arguments, log=log)
    apart = [f"--ignore={each}" for each in (*ALONE, SOAK)]
    at_once = ("-n", "2", "--dist", "loadfile")
    named = files(promises.promises(promises.PAGE.read_text()))
    others = started("others", *at_once, *named, *apart, *arguments).wait()
    soak = soaking.wait()
    sys.stdout.write(log.read_text())
    ran = [each for name in ("alone", "others", "soak") for each in promises.of_report(REPORTS / f"{name}.xml")]
    return all(map(is_good, (alone, others, soak))), ran


def about(began: datetime, load: float, seconds: float, ran: Sequence[promises.Ran], machine: Mapping[str, str]) -> str:
    """When and where the run was, in a paragraph."""
    failed = sum(not each.has_passed for each in ran)
    of_machine = ", ".join(f"{name} {value}" for name, value in machine.items() if name != "date")
    return (
        f"One run of `make reliability`, begun at {began:%Y-%m-%d %H:%M} UTC, which took {seconds / 60:.0f} min: "
        f"{len(ran)} tests, {failed} failed. {of_machine}; load average before it {load:.1f}."
    )


def main(arguments: Sequence[str]) -> int:
    """Run, write the table, and return the exit status."""
    began, load, clock = datetime.now(UTC), os.getloadavg()[0], time.monotonic()
    is_sound, ran = run(arguments)
    said = about(began, load, time.monotonic() - clock, ran, facts({}))
    page = promises.with_figures(promises.PAGE.read_text(), ran, said)
    (REPORTS / "reliability.md").write_text(page)
    if not arguments:
        promises.PAGE.write_text(page)
    sys.stdout.write(page[page.index(promises.BEGIN) : page.index(promises.END)])
    return 0 if is_sound else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
