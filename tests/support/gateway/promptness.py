"""Refusals are prompt: a `moorings serve` that cannot be is timed and compared with a start of the same program."""

from __future__ import annotations

import time
from subprocess import CompletedProcess

from tests.support.gateway.gateway import Gateway

REFUSED_WITHIN_S = 2.0
STARTS = 4
"""The program's own start takes a quarter of the limit; on a busy machine, where it takes longer, so may the rest."""
ATTEMPTS = 3
"""The quickest counts: what else the machine does changes between a refusal and the start that it is compared with."""


def serve(gateway: Gateway, *arguments: str, waits_s: float = 0.0, **settings: str) -> CompletedProcess[str]:
    """Try to serve where that must be refused with one sentence and status 1, and fail if it takes too long.

    `waits_s` is how long it may wait for another's answer on top.
    """
    for attempt in range(ATTEMPTS):
        started = time.monotonic()
        refused = gateway.command("serve", *(arguments or ("--port", "0")), **settings)
        wall_s = time.monotonic() - started - waits_s
        if wall_s < REFUSED_WITHIN_S or wall_s < STARTS * _start_s(gateway):
            break
        assert attempt < ATTEMPTS - 1, f"the refusal took {wall_s:.1f} s"
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("moorings: "), refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr
    return refused


def _start_s(gateway: Gateway) -> float:
    started = time.monotonic()
    gateway.command("keys", "generate")
    return time.monotonic() - started
