"""What is put into a destination: a file, of which any part can be read at any time, or a stream, read once."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from app.backups.connections import BLOCK_BYTES
from app.backups.refusals import BackupRefused


class Digest(NamedTuple):
    """The MD5 digest of some bytes, by which a store verifies them and names them in its ETag."""

    raw: bytes

    @property
    def hex(self) -> str:
        """As in an ETag."""
        return self.raw.hex()

    @property
    def base64(self) -> str:
        """As in Content-MD5."""
        return base64.b64encode(self.raw).decode()


def new_md5() -> Any:
    """A digest that is no protection against anybody, only against accidents."""
    return hashlib.md5(usedforsecurity=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Some consecutive bytes of a source, which can be read any number of times."""

    number: int
    size: int

    def blocks(self) -> Iterator[bytes]:
        """The bytes in blocks; raises `BackupRefused` when they are not there any more."""
        raise NotImplementedError

    def digest(self) -> Digest:
        """The digest of the bytes."""
        md5 = new_md5()
        for block in self.blocks():
            md5.update(block)
        return Digest(md5.digest())


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePart(Part):
    """A part of a file."""

    file: int
    offset: int

    def blocks(self) -> Iterator[bytes]:
        """See `Part`."""
        position, end = self.offset, self.offset + self.size
        while position < end:
            block = os.pread(self.file, min(BLOCK_BYTES, end - position), position)
            if not block:
                raise BackupRefused("The file became shorter while it was read.")
            yield block
            position += len(block)


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldPart(Part):
    """A part of a stream, in memory."""

    content: bytes

    def blocks(self) -> Iterator[bytes]:
        """See `Part`."""
        view = memoryview(self.content)
        for start in range(0, self.size, BLOCK_BYTES):
            yield bytes(view[start : start + BLOCK_BYTES])


class FileSource:
    """A file."""

    def __init__(self, path: Path) -> None:
        """Open a file; raises `BackupRefused`."""
        try:
            self._file = path.open("rb")
            self._stat = os.fstat(self._file.fileno())
        except OSError as error:
            raise BackupRefused(f"{path} cannot be read: {error.strerror}.") from None
        self.size = self._stat.st_size

    @property
    def identity(self) -> dict[str, int]:
        """What another content of the file, or another file in its place, has differently."""
        stat = self._stat
        return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "inode": stat.st_ino, "device": stat.st_dev}

    def part(self, number: int, part_bytes: int) -> FilePart:
        """The part of that number, from 1."""
        offset = (number - 1) * part_bytes
        size = min(part_bytes, self.size - offset)
        return FilePart(number=number, size=size, file=self._file.fileno(), offset=offset)

    def require_unchanged(self) -> None:
        """Raise `BackupRefused` when the file was written to since it was opened."""
        now = os.fstat(self._file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self._stat.st_size, self._stat.st_mtime_ns):
            raise BackupRefused("The file changed while it was read; put it again.")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def parts_of_stream(stream: BinaryIO, part_bytes: int) -> Iterator[HeldPart]:
    """The parts of a stream, as they come; the last one is shorter, or empty where it is the only one."""
    number = 1
    while True:
        content = _read_full(stream, part_bytes)
        if content or number == 1:
            yield HeldPart(number=number, size=len(content), content=content)
        if len(content) < part_bytes:
            return
        number += 1


def _read_full(stream: BinaryIO, size: int) -> bytes:
    """As many bytes as there are, up to `size`: a pipe gives some at a time."""
    content = bytearray()
    while len(content) < size:
        block = stream.read(min(BLOCK_BYTES, size - len(content)))
        if not block:
            break
        content += block
    return bytes(content)
