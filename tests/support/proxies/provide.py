"""Makes sure that the tests have an nginx: `python -m tests.support.proxies.provide`, which `make test` runs first.

One that is there is used. Else apt installs one, where this runs as root on a system that has it. Where neither works,
one sentence says what to type. Needs nothing but the standard library.
"""

from __future__ import annotations

import fcntl
import shutil
import sys

from tests.support import apt
from tests.support.browser.provide import CannotProvide, Machine, this_machine
from tests.support.paths import ROOT

PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin"
ADVICE = "install the package nginx of your system, for the tests of restarts behind a proxy"


def program() -> str | None:
    """The path of an nginx, or None."""
    return shutil.which("nginx", path=PATH) or shutil.which("nginx")


def provide(machine: Machine) -> None:
    """Install nginx if there is none; raises `CannotProvide` with the whole sentence."""
    if program() is not None:
        return
    reason = apt.install("nginx-light", machine)
    if program() is None:
        raise CannotProvide(f"There is no nginx ({reason}): {ADVICE}.")


def main() -> int:
    """Provide nginx; returns the exit status."""
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / "nginx.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            provide(this_machine())
        except CannotProvide as refusal:
            sys.stderr.write(f"{refusal}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
