"""The command line: `moorings serve, migrate, user, token, keys`."""

from app.cli.program import main

__all__ = ["main"]
