"""What the response cache counts is what it takes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.figures import amount
from tests.support.gateway.unharmed import MEBIBYTE, Figure
from tests.support.paths import ROOT

MAX_BYTES = amount(12, 64) * MEBIBYTE
SPARE_BYTES = MEBIBYTE
"""Beside a tenth of what is counted: what the process takes for itself meanwhile."""


@pytest.mark.parametrize("coding", ["", "gzip", "zstd"])
def test_a_full_cache_takes_no_more_than_a_tenth_beside_its_setting(coding: str, figure: Figure) -> None:
    """Filled with answers of many sizes and forms, and filled by half again, which fragments its memory."""
    command = [sys.executable, "-m", "tests.support.filled_cache", str(MAX_BYTES), coding]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120).stdout
    grown, counted = map(int, printed.split())

    figure(
        f"{counted / MEBIBYTE:.0f} MiB of cached responses take {grown / MEBIBYTE:.0f} MiB, in {coding or 'no coding'}"
    )
    assert counted > 0.9 * MAX_BYTES
    assert grown < 1.1 * MAX_BYTES + SPARE_BYTES
