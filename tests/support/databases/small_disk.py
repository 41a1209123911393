"""A small disk in memory that a test can fill, where this process may mount one (mount(8), as root)."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_BLOCK = bytes(65_536)


def can_mount() -> bool:
    """Whether there can be one here."""
    with suppress(subprocess.CalledProcessError, OSError), small_disk(1):
        return True
    return False


@contextmanager
def small_disk(mebibytes: int) -> Iterator[Path]:
    """A disk of that size, at a folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp(prefix="moorings-disk-"))
    try:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0755", "moorings-tests", str(folder)]
        subprocess.run(mount, check=True, capture_output=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
    finally:
        folder.rmdir()


@contextmanager
def temporary_folders_in(folder: Path) -> Iterator[None]:
    """What is made in the block as a temporary folder is made there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        yield


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Nothing is free on the disk in the block."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(_BLOCK):
                pass
        yield
    finally:
        filler.unlink()
