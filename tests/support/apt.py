"""Installs a package of the system with apt, where this runs as root on a system that has it."""

from __future__ import annotations

import sys
from contextlib import suppress

from tests.support.browser.provide import CannotProvide, Machine, run
from tests.support.paths import ROOT

LOGS = ROOT / ".cache" / "apt"
"""What apt writes is left beside this name."""


def install(package: str, machine: Machine) -> str | None:
    """Install a package; None once it is there, or else why it is not."""
    if machine.system != "Linux" or not machine.is_root or "apt-get" not in machine.programs:
        return "there is no apt-get that this user may install with"
    sys.stderr.write(f"Installing the package {package} with apt-get, for the tests ...\n")
    apt = ["apt-get", "-qq", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=20"]
    # No service of the system is started: the tests start their own.
    variables = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    options = ["--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=60"]
    try:
        with suppress(CannotProvide):  # the lists may be recent enough
            run([*apt, "update"], "apt-get-update", LOGS, variables)
        run([*apt, "install", *options, package], "apt-get", LOGS, variables, deadline_s=None)
    except CannotProvide as refusal:
        return str(refusal)
    return None
