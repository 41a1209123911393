"""Where a new token goes: to a terminal, or else to a file for its owner alone, so that none is kept in logs."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from models.errors import AccountRefused


class TokenFile:
    """A file of mode 0600 that is there before the token is made: a token that cannot be kept is not made."""

    def __init__(self, path: Path, temporary: Path) -> None:
        self._path = path
        self._temporary = temporary

    def write(self, token: str, name: str | None = None) -> Path:
        """Write the token, and give the file its name; returns its path. `name` takes the place of the planned one."""
        self._temporary.write_text(f"{token}\n", encoding="ascii")
        path = self._path if name is None else self._path.with_name(name)
        self._temporary.replace(path)
        return path


@contextmanager
def token_file(path: Path) -> Iterator[TokenFile]:
    """A file to write a token to; gone at the end when none was written. Raises `AccountRefused`."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise AccountRefused(
            f"Stdout is no terminal, and {path.parent} cannot hold a file for the token: {error.strerror}. "
            "Run this where it can, or add --print-token."
        ) from error
    os.close(descriptor)
    try:
        yield TokenFile(path, Path(temporary))
    finally:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()


def may_print(*, asked: bool) -> bool:
    """Whether a token may go to stdout: when it was asked for, or when a person sees it there."""
    return asked or sys.stdout.isatty()
