"""Puts a file or a stream into a destination: in one request, or in parts that are sent in parallel and verified.

Every part carries its MD5 digest, by which the store verifies it; the ETag of each and of the whole are compared with
what was sent, where the store makes them of MD5 digests. Of a file, the parts that are stored are noted, so that the
same command goes on with the others after it was killed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from xml.sax.saxutils import escape

from app.backups.connections import Answer
from app.backups.gateway import Gateway, Parts
from app.backups.refusals import BackupRefused, StoreRefused
from app.backups.source import FileSource, HeldPart, Part, new_md5
from app.backups.state import TransferState
from app.backups.store import Renewing, Store
from models.grants.access import MAX_PARTS, GrantOperation

Op = GrantOperation
LEAST_PART_BYTES = 5 << 20
"""Of all parts but the last (S3's own limit)."""
_UPLOAD_ID = re.compile(rb"<(?:\w{1,16}:)?UploadId>\s*([^<\s]{1,1024})\s*</")
_MD5_ETAG = re.compile(r'(?:W/)?"?([0-9a-f]{32}(?:-[0-9]{1,5})?)"?')


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """An object as it was put."""

    key: str
    size: int
    etag: str
    parts: int
    resumed_parts: int
    """How many of them an earlier run had stored."""
    is_verified: bool
    """Whether the store's ETag was the digest of what was sent; every part was verified by the store in any case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredPart:
    """A part that the store has."""

    etag: str
    md5: str
    size: int

    def to_state(self) -> list[Any]:
        """As it is noted."""
        return [self.etag, self.md5, self.size]

    @classmethod
    def from_state(cls, noted: Any) -> StoredPart:
        """Read what was noted; raises `ValueError` or `TypeError` for anything else."""
        etag, md5, size = noted
        bytes.fromhex(md5)
        return cls(etag=str(etag), md5=str(md5), size=int(size))


class Put:
    """One object that is put."""

    def __init__(
        self,
        gateway: Gateway,
        store: Store,
        *,
        destination: int,
        key: str,
        parallel: int,
        state: TransferState,
        advance: Callable[[int], None],
    ) -> None:
        """`advance` is called with the number of bytes that were sent, or are not to be sent again, from any thread."""
        self._gateway = gateway
        self._store = store
        self._destination = destination
        self._key = key
        self._parallel = parallel
        self._state = state
        self._advance = advance

    def file(self, source: FileSource, *, part_bytes: int) -> Stored:
        """Put a file; raises `BackupRefused`."""
        part_bytes = max(part_bytes, -(-source.size // MAX_PARTS))
        noted = self._state.read()
        self._abort_left_over()
        if source.size <= part_bytes:
            stored = self._whole(source.part(1, max(part_bytes, 1)))
            source.require_unchanged()
            return stored
        try:
            stored = self._in_parts(source, part_bytes, noted)
        except StoreRefused as refusal:
            if not refusal.upload_is_gone:
                raise
            # The store, or its lifecycle rules, aborted the upload meanwhile.
            self._state.forget()
            stored = self._in_parts(source, part_bytes, {})
        return stored

    def stream(self, parts: Iterator[HeldPart], *, may_be_empty: bool) -> Stored:
        """Put what a stream has; an upload that fails is aborted, for nothing could go on with it.

        Raises `BackupRefused`, before anything is asked, for a stream without a byte unless it may be empty: the dump
        in front of the pipe failed, and the object that is there is better than none.
        """
        first = list(islice(parts, 2))
        if first[0].size == 0 and not may_be_empty:
            raise BackupRefused("The standard input is empty, and nothing was stored; --allow-empty stores it.")
        self._state.read()
        self._abort_left_over()
        if len(first) == 1 or first[1].size == 0:
            return self._whole(first[0])
        upload_id = self._begin()
        try:
            with self._sending(upload_id, first[0].size, last=None) as send:
                done = send(_chained(first, parts))
            return self._complete(upload_id, done, resumed=0)
        except BaseException:
            with suppress(BackupRefused):
                self._store.stopping.clear()
                self._abort(upload_id)
                self._state.forget()
            raise

    def _whole(self, part: Part) -> Stored:
        """Put the object in one request."""
        digest = part.digest()

        def grant_whole() -> Any:
            (signed,) = self._grant(operations=[Op.PUT.value], content_length=part.size, content_md5=digest.base64)
            return signed

        grant = Renewing(grant_whole)
        answer = self._store.ask(
            grant, headers={"content-length": str(part.size)}, body=part.blocks, renew=grant.forget
        )
        self._advance(part.size)
        etag = answer.headers.get("etag", "")
        is_verified = _verified(etag, digest.hex, answer)
        return Stored(key=self._key, size=part.size, etag=etag, parts=1, resumed_parts=0, is_verified=is_verified)

    def _in_parts(self, source: FileSource, part_bytes: int, noted: Mapping[str, Any]) -> Stored:
        done = _noted_parts(noted) if noted.get("part_bytes") == part_bytes else {}
        upload_id = noted.get("upload_id") if done else None
        if not isinstance(upload_id, str):
            done = {}
            if isinstance(noted.get("upload_id"), str):
                self._abort(noted["upload_id"])
            self._state.forget()
            upload_id = self._begin()
            self._state.note("part_bytes", part_bytes)
        resumed = len(done)
        self._advance(sum(part.size for part in done.values()))
        numbers = range(1, -(-source.size // part_bytes) + 1)
        missing = (source.part(number, part_bytes) for number in numbers if number not in done)
        with self._sending(upload_id, part_bytes, last=numbers[-1]) as send:
            sent = send(missing, note=self._state.note_part)
        source.require_unchanged()
        return self._complete(upload_id, done | sent, resumed=resumed)

    def _begin(self) -> str:
        """Begin an upload in parts, and note its id."""
        grant = Renewing(lambda: self._grant(operations=[Op.CREATE_UPLOAD.value])[0])
        found = _UPLOAD_ID.search(self._store.ask(grant, body=lambda: b"").body)
        if found is None:
            raise StoreRefused("The store does not take objects in parts.")
        upload_id = found[1].decode("ascii", "replace")
        self._state.note("upload_id", upload_id)
        self._state.note("key", self._key)
        return upload_id

    @contextmanager
    def _sending(
        self, upload_id: str, part_bytes: int, *, last: int | None
    ) -> Iterator[Callable[..., dict[int, StoredPart]]]:
        """A function that sends parts, as many at once as may be; it ends with the first that fails."""
        granted = Parts(lambda **asked: self._grant(upload_id=upload_id, **asked), last=last)

        def send_one(part: Part) -> StoredPart:
            digest = part.digest()
            is_whole = part.size == part_bytes
            answer = self._store.ask(
                lambda: granted.request(part.number, part.size, is_whole=is_whole),
                headers={"content-length": str(part.size), "content-md5": digest.base64},
                body=part.blocks,
                renew=lambda: granted.forget(part.number, part.size),
            )
            granted.forget(part.number, part.size)
            etag = answer.headers.get("etag", "")
            _verified(etag, digest.hex, answer)
            self._advance(part.size)
            return StoredPart(etag=etag, md5=digest.hex, size=part.size)

        with ThreadPoolExecutor(self._parallel, thread_name_prefix="part") as pool:

            def send(
                parts: Iterable[Part], note: Callable[[int, Any], None] = lambda _number, _value: None
            ) -> dict[int, StoredPart]:
                running: dict[Future[StoredPart], int] = {}
                done: dict[int, StoredPart] = {}
                waiting = iter(parts)
                while True:
                    for part in islice(waiting, self._parallel - len(running)):
                        if part.size:
                            running[pool.submit(send_one, part)] = part.number
                    if not running:
                        return done
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        number = running.pop(future)
                        done[number] = future.result()
                        note(number, done[number].to_state())

            try:
                yield send
            except BaseException:
                self._store.stopping.set()
                raise

    def _complete(self, upload_id: str, done: Mapping[int, StoredPart], *, resumed: int) -> Stored:
        """Make the object of the parts, and compare it with them."""
        numbers = sorted(done)
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(done[number].etag)}</ETag></Part>"
            for number in numbers
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        grant = Renewing(lambda: self._grant(operations=[Op.COMPLETE_UPLOAD.value], upload_id=upload_id)[0])
        size = sum(part.size for part in done.values())
        try:
            self._store.ask(grant, body=lambda: body, headers={"content-type": "application/xml"}, renew=grant.forget)
        except StoreRefused as refusal:
            # The response to an earlier attempt may have been lost: then the object is there.
            there = self._head() if refusal.upload_is_gone else None
            if there is None or there.headers.get("content-length") != str(size):
                raise
        self._state.forget()
        md5 = new_md5()
        for number in numbers:
            md5.update(bytes.fromhex(done[number].md5))
        expected = f"{md5.hexdigest()}-{len(numbers)}"
        found = self._head()
        if found is None or found.headers.get("content-length") != str(size):
            raise BackupRefused("The object that the store made of the parts does not have the size of what was sent.")
        etag = found.headers.get("etag", "")
        return Stored(
            key=self._key,
            size=size,
            etag=etag,
            parts=len(numbers),
            resumed_parts=resumed,
            is_verified=_verified(etag, expected, found),
        )

    def _head(self) -> Answer | None:
        """What the store says of the object; None where there is none."""
        grant = Renewing(lambda: self._grant(operations=[Op.HEAD.value])[0])
        try:
            return self._store.ask(grant, renew=grant.forget)
        except StoreRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    def _abort(self, upload_id: str) -> None:
        """Abort an upload; one that is gone already is as good."""
        grant = Renewing(lambda: self._grant(operations=[Op.ABORT_UPLOAD.value], upload_id=upload_id)[0])
        with suppress(StoreRefused):
            self._store.ask(grant, renew=grant.forget)

    def _abort_left_over(self) -> None:
        """Abort the upload of an earlier run that was of another content, so that its parts do not stay for ever."""
        upload_id = self._state.left_over.get("upload_id")
        if isinstance(upload_id, str) and self._state.left_over.get("key") == self._key:
            self._abort(upload_id)
        if self._state.left_over:
            self._state.forget()

    def _grant(self, **asked: Any) -> Any:
        return self._gateway.grant(self._destination, key=self._key, **asked)


def _chained(first: Iterable[HeldPart], others: Iterable[HeldPart]) -> Iterator[Part]:
    yield from first
    yield from others


def _noted_parts(noted: Mapping[str, Any]) -> dict[int, StoredPart]:
    """The parts that an earlier run noted; none where that cannot be read."""
    try:
        return {int(number): StoredPart.from_state(part) for number, part in noted.get("parts", {}).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _verified(etag: str, expected: str, answer: Answer) -> bool:
    """Whether an ETag is the digest of what was sent; raises `BackupRefused` when it is that of something else.

    Stores that encrypt with keys of their own make ETags of something else than MD5 digests.
    """
    found = _MD5_ETAG.fullmatch(etag)
    is_encrypted = answer.headers.get("x-amz-server-side-encryption", "AES256") != "AES256"
    if found is None or is_encrypted or ("-" in found[1]) != ("-" in expected):
        return False
    if found[1] != expected:
        raise BackupRefused(
            "The store has something else than what was sent (its ETag is not the MD5 digest); put it again."
        )
    return True
