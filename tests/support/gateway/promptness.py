"""Refusals are prompt: a `moorings serve` that cannot be is timed, and judged by how fast the machine is just now."""

from __future__ import annotations

import time
from subprocess import CompletedProcess

from tests.support.gateway.gateway import Gateway

REFUSED_WITHIN_S = 2.0
STARTS = 4
"""The program's own start takes a quarter of the limit; on a busy machine, where it takes longer, so may the rest."""


def serve(gateway: Gateway, *arguments: str, **settings: str) -> CompletedProcess[str]:
    """Try to serve where that must be refused with one sentence and status 1, and fail if it takes too long."""
    started = time.monotonic()
    refused = gateway.command("serve", *(arguments or ("--port", "0")), **settings)
    wall_s = time.monotonic() - started

    if wall_s >= REFUSED_WITHIN_S:
        started = time.monotonic()
        gateway.command("keys", "generate")
        assert wall_s < STARTS * (time.monotonic() - started), f"the refusal took {wall_s:.1f} s"
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("moorings: "), refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr
    return refused
