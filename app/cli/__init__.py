"""The command line: `moorings serve, migrate, schema, user, token, keys`."""

from app.cli.program import main

__all__ = ["main"]
