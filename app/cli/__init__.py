"""The command line: `moorings serve, migrate, schema, openapi, user, token, keys`."""

from __future__ import annotations

import gc


def main() -> None:
    """The console script: load the program without collecting in between, for nothing of it is garbage, then run it."""
    gc.disable()
    from app.cli.program import run

    gc.freeze()
    gc.enable()
    run()
