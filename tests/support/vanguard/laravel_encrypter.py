"""Laravel's own encrypter, Debian's package `php-illuminate-encryption`, where it is installed."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

AUTOLOAD = Path("/usr/share/php/Illuminate/Encryption/autoload.php")
SCRIPT = Path(__file__).with_name("laravel.php")


def is_installed() -> bool:
    """Whether PHP and the package are here."""
    return shutil.which("php") is not None and AUTOLOAD.is_file()


def opened(key: str, payloads: Sequence[str]) -> list[str]:
    """The texts of payloads."""
    return [base64.b64decode(line).decode() for line in _answers(key, [f"open {payload}" for payload in payloads])]


def sealed(key: str, texts: Sequence[str]) -> list[str]:
    """Payloads of texts."""
    return _answers(key, [f"seal {base64.b64encode(text.encode()).decode()}" for text in texts])


def _answers(key: str, lines: Sequence[str]) -> list[str]:
    done = subprocess.run(
        ["php", str(SCRIPT), str(AUTOLOAD), key],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()
