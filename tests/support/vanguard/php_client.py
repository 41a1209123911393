"""The official PHP client of Vanguard, where `make takeover` or the operator of the tests has put it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT

AUTOLOAD = Path(os.environ.get("MOORINGS_PHP_CLIENT") or ROOT / ".cache/php-client/vendor/autoload.php")
"""What PHP loads the client with: that of Composer, or another one that the variable names."""
SCRIPT = Path(__file__).with_suffix(".php")


def is_installed() -> bool:
    """Whether PHP and the client are here."""
    return shutil.which("php") is not None and AUTOLOAD.is_file()


def used(url: str, token: str) -> dict[str, Any]:
    """List, create, read, update, create wrongly and delete with the client; what it found at each."""
    done = subprocess.run(
        ["php", "-d", "display_errors=stderr", str(SCRIPT), str(AUTOLOAD), url, token],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
