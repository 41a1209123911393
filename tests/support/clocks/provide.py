"""Brings libfaketime for the tests of clocks: `python -m tests.support.clocks.provide`, which `make test` runs first.

One that is there is used. Else apt installs one, where this runs as root on a system that has it. Where neither works,
those tests are left out: a machine without the library can run all the others. Needs nothing but the standard library.
"""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

from tests.support import apt
from tests.support.browser.provide import this_machine
from tests.support.paths import ROOT

FOLDERS = ("/usr/lib", "/usr/local/lib", "/usr/lib64")
NAME = "faketime/libfaketimeMT.so.1"


def library() -> Path | None:
    """The path of a libfaketime for programs with threads, or None."""
    found = (path for folder in FOLDERS for pattern in (NAME, f"*/{NAME}") for path in Path(folder).glob(pattern))
    return next(iter(sorted(found)), None)


def main() -> int:
    """Provide libfaketime, or say why it is not here; returns the exit status, which is a success either way."""
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / "faketime.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if library() is None:
            reason = apt.install("libfaketime", this_machine())
            if library() is None:
                sys.stderr.write(f"There is no libfaketime ({reason}): the tests of set clocks are left out.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
