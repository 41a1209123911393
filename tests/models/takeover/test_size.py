"""A large source is imported in the time that the documentation gives, and with the memory that a small one takes.

The gate imports 2,000 destinations, `make takeover` 100,000.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.figures import amount
from tests.support.gateway.backup_job import memory_of
from tests.support.gateway.gateway import MOORINGS, environment
from tests.support.vanguard.takeover import Takeover
from tests.support.vanguard.vanguard_database import KEY, Rows, destination, into_sqlite, token, user

SIZE = amount(2_000, 100_000)
FEW = SIZE // 20
USERS, ROWS_OF_A_KIND = 100, 50
WITHIN_S = 60.0
MORE_MIB = 32
"""How much more memory all may take than a twentieth: the rows of 100,000 are 100 MB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One import: how long it took, what the processor did for it, and the most memory it had."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def source_of(here: Takeover, size: int) -> str:
    """A source with so many destinations; their values are those of a few, encrypted three for each."""
    kinds = [destination(number, 1) for number in range(ROWS_OF_A_KIND)]
    rows: Rows = {
        "users": [user(number) for number in range(1, USERS + 1)],
        "personal_access_tokens": [token(number, number, f"{number:040}") for number in range(1, USERS + 1)],
        "backup_destinations": [
            {**kinds[id_ % ROWS_OF_A_KIND], "id": id_, "user_id": id_ % USERS + 1, "label": f"Destination {id_}"}
            for id_ in range(1, size + 1)
        ],
    }
    return into_sqlite(here.gateway.directory / f"source-of-{size}", rows)


def imported(here: Takeover, source: str) -> Run:
    """Run the command in a process of its own."""
    began = time.monotonic()
    with (here.gateway.directory / "import.log").open("w+") as log:
        process = subprocess.Popen(
            [MOORINGS, "import", "vanguard", source],
            env={**environment(**here.gateway.settings), "APP_KEY": KEY},
            cwd=here.gateway.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        peak, pid = 0, 0
        while not pid:  # what the kernel has of a process that has ended begins with the memory of the one that made it
            peak = max(peak, memory_of(process.pid))
            time.sleep(0.02)
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        assert process.returncode == 0, log.read()[-2_000:]
    return Run(wall_s=time.monotonic() - began, cpu_s=used.ru_utime + used.ru_stime, peak_mib=peak / 2**20)


async def test_a_large_source_takes_the_memory_of_a_small_one_and_a_minute_at_most(
    stored: Takeover, figure: Callable[[str], None]
) -> None:
    few, many = source_of(stored, FEW), source_of(stored, SIZE)
    load = os.getloadavg()[0]

    first, all_of_it, again = (imported(stored, source) for source in (few, many, many))

    assert (await stored.gateway.rows("SELECT count(*) AS n FROM backup_destinations"))[0]["n"] == SIZE
    load = max(load, os.getloadavg()[0])
    is_busy = load > 1 + (os.cpu_count() or 1)  # with others, which the import waited for
    figure(
        f"{stored.gateway.engine}: {SIZE:,} in {all_of_it.wall_s:.1f} s, processor {all_of_it.cpu_s:.1f} s "
        f"(load {load:.1f}), {all_of_it.peak_mib:.0f} MiB; {FEW:,} take {first.peak_mib:.0f} MiB; "
        f"a second run {again.wall_s:.1f} s, {again.peak_mib:.0f} MiB"
    )
    assert all_of_it.peak_mib < first.peak_mib + MORE_MIB
    assert again.peak_mib < first.peak_mib + MORE_MIB
    assert all_of_it.cpu_s < WITHIN_S
    assert all_of_it.wall_s < WITHIN_S or is_busy
