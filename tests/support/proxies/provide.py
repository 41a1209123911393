"""Makes sure that there are nginx and PgBouncer: `python -m tests.support.proxies.provide`, which `make test` runs.

`make hostile` asks for slowhttptest by its name, and does without it where it cannot be installed.

What is there is used. Else apt installs it, where this runs as root on a system that has apt. Where neither works, one
sentence says what to type. Needs nothing but the standard library.
"""

from __future__ import annotations

import fcntl
import shutil
import sys
from collections.abc import Sequence

from tests.support import apt
from tests.support.browser.provide import CannotProvide, Machine, this_machine
from tests.support.paths import ROOT

PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin"
NGINX, PGBOUNCER, SLOWHTTPTEST = "nginx", "pgbouncer", "slowhttptest"
PACKAGES = {NGINX: "nginx-light", PGBOUNCER: "pgbouncer", SLOWHTTPTEST: "slowhttptest"}
"""The package of Debian that has each program."""
ADVICE = "install the package of this name of your system, for the tests and measurements that use it"


def program(name: str = NGINX) -> str | None:
    """The path of a program, or None; the user's own path is looked at first."""
    return shutil.which(name) or shutil.which(name, path=PATH)


def provide(machine: Machine, names: Sequence[str] = (NGINX, PGBOUNCER)) -> None:
    """Install what is missing of these programs; raises `CannotProvide` with the whole sentence."""
    for name in names:
        if program(name) is not None:
            continue
        reason = apt.install(PACKAGES[name], machine)
        if program(name) is None:
            raise CannotProvide(f"There is no {name} ({reason}): {ADVICE}.")


def main() -> int:
    """Provide the programs that the command line names, or nginx and PgBouncer; returns the exit status."""
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / "proxies.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            provide(this_machine(), sys.argv[1:] or (NGINX, PGBOUNCER))
        except CannotProvide as refusal:
            sys.stderr.write(f"{refusal}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
