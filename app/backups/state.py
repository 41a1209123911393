"""What is known of a transfer that was begun, in a small file, so that it can go on after the process was killed.

It holds neither the token nor a signature. A lock keeps a second process from the same transfer.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from app.backups.refusals import BackupRefused

VERSION = 1


class TransferState:
    """The file of one transfer. `identity` is what must be the same for it to go on; everything else is begun anew."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self._path = path
        self._identity = {"version": VERSION, **identity}
        self._lock = threading.Lock()
        self._progress: dict[str, Any] = {}
        self.left_over: Mapping[str, Any] = {}
        """The progress of an earlier transfer of something else, which is not gone on with."""

    def read(self) -> Mapping[str, Any]:
        """The progress of the same transfer; empty where there is none, or the file is damaged."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads(self._path.read_text("utf-8"))
            if stored["identity"] == json.loads(json.dumps(self._identity)):
                self._progress = dict(stored["progress"])
            else:
                self.left_over = dict(stored["progress"])
        return self._progress

    def note(self, name: str, value: Any) -> None:
        """Store one thing of the progress, for good."""
        with self._lock:
            self._progress[name] = value
            self._write()

    def note_part(self, number: int, value: Any) -> None:
        """Store one part of the progress, for good."""
        with self._lock:
            self._progress.setdefault("parts", {})[str(number)] = value
            self._write()

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._progress = {}
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        """Replace the file; a disk that takes none of it costs the way back after a kill, and nothing else."""
        with suppress(OSError):
            self._replace()

    def _replace(self) -> None:
        text = json.dumps({"identity": self._identity, "progress": self._progress})
        new = self._path.with_suffix(".new")
        new.write_text(text, "utf-8")
        new.chmod(0o600)
        new.replace(self._path)


@contextmanager
def transfer_state(directory: Path, place: str, identity: Mapping[str, Any]) -> Iterator[TransferState]:
    """The state of the transfer to or from a place, for this process alone.

    Where the directory cannot be written, it is one that does not outlive the process. Raises `BackupRefused` when
    another process has it.
    """
    name = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    with tempfile.TemporaryDirectory() as passing:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(directory / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            directory = Path(passing)
            lock = os.open(directory / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BackupRefused("Another process is at this transfer.") from None
            yield TransferState(directory / f"{name}.json", identity)
            (directory / f"{name}.lock").unlink(missing_ok=True)
        finally:
            os.close(lock)
