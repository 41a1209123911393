"""A file for a new token, which its owner alone can read."""

from __future__ import annotations

import os
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

    def write(self, token: str) -> Path:
        """Write the token, and give the file its name; returns its path."""
        self._temporary.write_text(f"{token}\n", encoding="ascii")
        self._temporary.replace(self._path)
        return self._path


@contextmanager
def private_file(path: Path) -> Iterator[TokenFile]:
    """A file to write a token to; gone at the end when none was written.

    Raises `AccountRefused`, also for a device or a pipe, which the file would take the place of.
    """
    if path.exists() and not path.is_file():
        raise AccountRefused(f"{path} is no file: name another place, or print the token.")
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise AccountRefused(
            f"{path.parent} cannot hold a file for the token: {error.strerror}. Name another place, or print the token."
        ) from error
    os.close(descriptor)
    try:
        yield TokenFile(path, Path(temporary))
    finally:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
