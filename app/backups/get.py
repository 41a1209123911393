"""Gets an object of a destination: into a file, in ranges in parallel, or into a stream; and verifies what came.

All ranges are of the object that was there at the beginning (`If-Match`). Of a file, the ranges that came are noted, so
that the same command goes on with the others after it was killed; it has its name only once it is whole.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from app.backups.connections import BLOCK_BYTES, TRANSIENT
from app.backups.gateway import Gateway, pause_s, reason
from app.backups.ranges import ObjectFacts
from app.backups.refusals import BackupRefused, StoreRefused
from app.backups.source import new_md5
from app.backups.state import TransferState
from app.backups.store import ATTEMPTS, Renewing, Store, is_transient
from models.grants.access import GrantOperation


@dataclass(frozen=True, kw_only=True, slots=True)
class Got:
    """An object that was got, whole."""

    key: str
    size: int
    etag: str
    resumed_bytes: int
    is_verified: bool
    """Whether its digest is that of the store's ETag; where the ETag is none, the size alone was compared."""


class Get:
    """One object that is got."""

    def __init__(
        self,
        gateway: Gateway,
        store: Store,
        *,
        destination: int,
        key: str,
        parallel: int,
        advance: Callable[[int], None],
    ) -> None:
        """`advance` is called with the number of bytes that came, or need not come again, from any thread."""
        self._gateway = gateway
        self._store = store
        self._destination = destination
        self._key = key
        self._parallel = parallel
        self._advance = advance
        self._grant = Renewing(lambda: self._granted(GrantOperation.GET))

    def facts(self) -> ObjectFacts:
        """What the store says of the object; raises `BackupRefused`."""
        grant = Renewing(lambda: self._granted(GrantOperation.HEAD))
        answer = self._store.ask(grant, renew=grant.forget)
        try:
            return ObjectFacts.of(answer.headers)
        except ValueError as error:
            raise BackupRefused(f"The object cannot be got: {error}.") from None

    def to_stream(self, facts: ObjectFacts, stream: BinaryIO) -> Got:
        """Write the object into a stream, as it comes; what is wrong with it is known at the end only."""
        whole, of_parts, part_bytes = new_md5(), list[bytes](), facts.range_bytes
        part, left = new_md5(), part_bytes
        for block in self._blocks(facts, 0, facts.size):
            stream.write(block)
            whole.update(block)
            view = memoryview(block)
            while view:
                taken = view[:left]
                part.update(taken)
                left -= len(taken)
                view = view[len(taken) :]
                if not left:
                    of_parts.append(part.digest())
                    part, left = new_md5(), part_bytes
            self._advance(len(block))
        stream.flush()
        if left < part_bytes:
            of_parts.append(part.digest())
        is_verified = self._verified(facts, whole.hexdigest(), of_parts)
        return Got(key=self._key, size=facts.size, etag=facts.etag, resumed_bytes=0, is_verified=is_verified)

    def to_file(self, facts: ObjectFacts, path: Path, state: TransferState) -> Got:
        """Write the object into a file, which is replaced when it is whole; never a device, a pipe or a folder."""
        if path.exists() and not path.is_file():
            raise BackupRefused(f"{path} is no file, and would be replaced: name another place, or - for stdout.")
        partial = path.with_name(f".{path.name}.moorings-part")
        noted = state.read().get("parts", {}) if partial.exists() else {}
        if not noted:
            state.forget()
        try:
            with partial.open("r+b" if noted else "w+b") as file:
                resumed = self._fill(facts, file.fileno(), noted, state)
                is_verified = self._verified_file(facts, file, state)
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            raise BackupRefused(f"{path} cannot be written: {error.strerror}.") from None
        state.forget()
        return Got(key=self._key, size=facts.size, etag=facts.etag, resumed_bytes=resumed, is_verified=is_verified)

    def _fill(self, facts: ObjectFacts, file: int, noted: Any, state: TransferState) -> int:
        """Get the ranges that are not there; returns the number of bytes that were."""
        range_bytes = facts.range_bytes
        os.truncate(file, facts.size)
        count = -(-facts.size // range_bytes)
        missing = [number for number in range(1, count + 1) if str(number) not in noted]
        resumed = facts.size - sum(_size(facts, number, range_bytes) for number in missing)
        self._advance(resumed)
        waiting, running = iter(missing), dict[Future[str], int]()

        def get_one(number: int) -> str:
            start, md5 = (number - 1) * range_bytes, new_md5()
            position = start
            for block in self._blocks(facts, start, start + _size(facts, number, range_bytes)):
                md5.update(block)
                os.pwrite(file, block, position)
                position += len(block)
                self._advance(len(block))
            return str(md5.hexdigest())

        with ThreadPoolExecutor(self._parallel, thread_name_prefix="range") as pool:
            try:
                while True:
                    for number in islice(waiting, self._parallel - len(running)):
                        running[pool.submit(get_one, number)] = number
                    if not running:
                        return resumed
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        number, digest = running.pop(future), future.result()
                        os.fdatasync(file)
                        state.note_part(number, digest)
            except BaseException:
                self._store.stopping.set()
                raise

    def _blocks(self, facts: ObjectFacts, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to before `end`; goes on where a connection broke."""
        position, failures = start, 0
        while position < end:
            before = position
            try:
                for block in self._range(facts, position, end):
                    position += len(block)
                    yield block
            except (*TRANSIENT, StoreRefused) as error:
                failure = self._failure_of(error)
                failures = 1 if position > before else failures + 1
                if failures == ATTEMPTS:
                    raise failure from None
                self._store.pause(pause_s(failures))

    def _range(self, facts: ObjectFacts, start: int, end: int) -> Iterator[bytes]:
        """The bytes of one response; raises `StoreRefused`, or `TRANSIENT` where they end too early."""
        headers = {"if-match": facts.etag, "range": f"bytes={start}-{end - 1}"}
        with self._store.reading(self._grant(), headers) as response:
            if response.status != http.client.PARTIAL_CONTENT and (start, end) != (0, facts.size):
                raise BackupRefused("The store does not send parts of an object.")
            position = start
            while position < end:
                self._store.pause(0)
                block = response.read(min(BLOCK_BYTES, end - position))
                if not block:
                    raise http.client.IncompleteRead(b"")
                position += len(block)
                yield block

    def _failure_of(self, error: Exception) -> BackupRefused:
        """What to raise if nothing helps; raises `StoreRefused` at once where another attempt would not."""
        if not isinstance(error, StoreRefused):
            return StoreRefused(f"The store cannot be reached: {reason(error)}.")
        if not error.has_expired and not is_transient(error):
            raise error
        # Another grant is made with the next attempt, if this one has run out.
        return error

    def _verified_file(self, facts: ObjectFacts, file: BinaryIO, state: TransferState) -> bool:
        """Compare a file that is whole with the digest of the ETag."""
        if facts.md5 is None:
            noted = state.read().get("parts", {})
            return self._verified(facts, "", [bytes.fromhex(noted[number]) for number in sorted(noted, key=int)])
        whole = new_md5()
        file.seek(0)
        while block := file.read(BLOCK_BYTES):
            whole.update(block)
        return self._verified(facts, whole.hexdigest(), [])

    def _verified(self, facts: ObjectFacts, whole: str, of_parts: list[bytes]) -> bool:
        """Whether the digests are those of the ETag; raises `BackupRefused` when the object is not what it says."""
        if facts.md5 is None:
            return facts.md5_of_parts is not None and facts.is_made_of(of_parts)
        if facts.md5 != whole:
            raise BackupRefused("What came is not what the store has (its ETag is not the MD5 digest); get it again.")
        return True

    def _granted(self, operation: GrantOperation) -> Any:
        (signed,) = self._gateway.grant(self._destination, operations=[operation.value], key=self._key)
        return signed


def _size(facts: ObjectFacts, number: int, range_bytes: int) -> int:
    """The size of a range, by its number from 1."""
    return min(range_bytes, facts.size - (number - 1) * range_bytes)
