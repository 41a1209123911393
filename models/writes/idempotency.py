"""Acts under an Idempotency-Key: carried out once, and their first result given again.

The key is a row, written in the transaction of the act: either both are there or neither is, whenever a connection or
a process ends. A refused act leaves no row, because it changed nothing. While an act is carried out its key is locked:
in this process by name, and on PostgreSQL by an advisory lock, which ends with the transaction. SQLite's writers take
turns.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, NoReturn

import orjson
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from models.accounts.viewer import Viewer
from models.clock import current_second
from models.database.postgresql import in_share
from models.destinations.row import FIELDS, DestinationRow, PlainRow
from models.errors import DatabaseUnavailable, IdempotencyKeyInUse, IdempotencyKeyReused, OutcomeUnknown
from models.vault.vault import Vault
from models.writes.idempotency_key import IdempotencyKey

PRUNE_STEP = 500
"""Rows that one statement of `prune` removes, so that writers never wait long for it."""
PRUNE_PAUSE_S = 0.1
"""Between two steps: others write meanwhile."""
LOOK_S = 30.0
"""How often `prune_repeatedly` looks for expired keys."""
_PURPOSE = "idempotency keys"
_TIMESTAMPS = ("created_at", "updated_at", "credentials_set_at")


@dataclass(slots=True, kw_only=True)
class KeyedRequest:
    """A request with an Idempotency-Key, and what became of its acts."""

    key_hash: str
    content_hash: bytes
    """SHA-256 of what makes two requests the same."""
    acts_done: int = 0
    acts_replayed: int = 0
    is_in_use: bool = False
    """Whether an act was refused because another request with the key is carried out."""

    @classmethod
    def of(cls, key: str, *content: object) -> KeyedRequest:
        """A request; `content` is values as they come from JSON, and the order of names in objects means nothing."""
        text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        key_hash = hashlib.sha256(key.encode()).hexdigest()
        return cls(key_hash=key_hash, content_hash=hashlib.sha256(text).digest())

    @property
    def is_replayed(self) -> bool:
        """Whether every result is that of an earlier request."""
        return self.acts_replayed > 0 and not self.acts_done

    def act(self, name: str = "") -> KeyedAct:
        """One of its acts; a GraphQL request may have several, each with another name."""
        return KeyedAct(self, hashlib.sha256(name.encode()).hexdigest())


class KeyedAct(NamedTuple):
    """One act of a request with an Idempotency-Key."""

    request: KeyedRequest
    act_hash: str


class FirstResult(NamedTuple):
    """What an act returned when it was carried out: the row after it, None for a removed one."""

    row: DestinationRow | None
    is_replayed: bool = True
    """Whether it was carried out by an earlier request."""


class IdempotencyKeys:
    """The Idempotency-Keys of all users; one object per process."""

    def __init__(self, vault: Vault, lifetime: timedelta) -> None:
        """`lifetime` is how long a key is known after its act."""
        self._vault = vault
        self._lifetime = lifetime
        self._in_use: set[tuple[int, str]] = set()

    async def find(self, viewer: Viewer, keyed: KeyedAct) -> FirstResult | None:
        """The result of the act if it was carried out before; raises `IdempotencyKeyReused`."""
        request, first = keyed.request, None
        query = IdempotencyKey.filter(user_id=viewer.user_id, key_hash=request.key_hash)
        for row in await query.filter(created_at__gt=self._expired()):
            if not self._is_of(row.request_digest, request.content_hash):
                raise IdempotencyKeyReused
            if row.act_hash == keyed.act_hash:
                first = FirstResult(_row_of(row.result))
        request.acts_replayed += first is not None
        return first

    async def run(
        self, viewer: Viewer, keyed: KeyedAct, act: Callable[[], Awaitable[DestinationRow | None]]
    ) -> FirstResult:
        """Carry the act out in the transaction that stores its key, or return the result it had before.

        Raises what the act raises, `IdempotencyKeyReused`, `IdempotencyKeyInUse`, and `OutcomeUnknown` with a key.
        """
        request = keyed.request
        try:
            async with self._held(viewer, request), in_share(IdempotencyKey, viewer.user_id), in_transaction():
                await _lock(viewer, request)
                first = await self.find(viewer, keyed)
                if first is not None:
                    return first
                row = await act()
                await self._store(viewer, keyed, row)
        except OutcomeUnknown as error:
            raise OutcomeUnknown(has_key=True) from error
        except IdempotencyKeyInUse:
            request.is_in_use = True
            raise
        request.acts_done += 1
        return FirstResult(row, is_replayed=False)

    async def prune_repeatedly(self) -> NoReturn:
        """Remove expired keys, now and every `LOOK_S`; a database that is away is tried later."""
        while True:
            removed = 0
            with suppress(DatabaseUnavailable):
                removed = await self.prune()
            await asyncio.sleep(PRUNE_PAUSE_S if removed == PRUNE_STEP else LOOK_S)

    async def prune(self) -> int:
        """Remove some keys that have expired, the oldest first; returns how many, at most `PRUNE_STEP`."""
        expired = IdempotencyKey.filter(created_at__lte=self._expired()).order_by("created_at", "id").limit(PRUNE_STEP)
        ids = await expired.values_list("id", flat=True)
        return await IdempotencyKey.filter(id__in=list(ids)).delete() if ids else 0

    @asynccontextmanager
    async def _held(self, viewer: Viewer, request: KeyedRequest) -> AsyncIterator[None]:
        """Keep the key from other requests in this process."""
        name = (viewer.user_id, request.key_hash)
        if name in self._in_use:
            raise IdempotencyKeyInUse
        self._in_use.add(name)
        try:
            yield
        finally:
            self._in_use.discard(name)

    async def _store(self, viewer: Viewer, keyed: KeyedAct, row: DestinationRow | None) -> None:
        request, (key_id, *_) = keyed.request, self._vault.key_ids
        act: dict[str, Any] = {"user_id": viewer.user_id, "key_hash": request.key_hash, "act_hash": keyed.act_hash}
        await IdempotencyKey.filter(**act, created_at__lte=self._expired()).delete()
        try:
            await IdempotencyKey.create(
                **act,
                request_digest=f"{key_id}:{self._digest(key_id, request.content_hash)}",
                result=_text_of(row),
                created_at=current_second(),
            )
        except IntegrityError as error:  # another process got past the lock
            raise IdempotencyKeyInUse from error

    def _is_of(self, stored: str, content_hash: bytes) -> bool:
        """Whether a stored digest is that of this content. One of a key that has left the ring counts as such:
        the client who repeats a request is never answered by carrying it out twice.
        """
        key_id, _, digest = stored.partition(":")
        if key_id not in self._vault.key_ids:
            return True
        return hmac.compare_digest(digest, self._digest(key_id, content_hash))

    def _digest(self, key_id: str, content_hash: bytes) -> str:
        return hmac.digest(self._vault.derive(_PURPOSE, key_id=key_id), content_hash, "sha256").hex()

    def _expired(self) -> datetime:
        return current_second() - self._lifetime


async def _lock(viewer: Viewer, request: KeyedRequest) -> None:
    """Keep the key from other processes until the transaction ends; raises `IdempotencyKeyInUse`."""
    database: Any = IdempotencyKey._meta.db
    if isinstance(database, SqliteClient):
        return
    name = hashlib.sha256(f"{viewer.user_id} {request.key_hash}".encode()).digest()
    number = int.from_bytes(name[:8], signed=True)
    (row,) = await database.execute_query_dict("SELECT pg_try_advisory_xact_lock($1) AS is_locked", [number])
    if not row["is_locked"]:
        raise IdempotencyKeyInUse


def _text_of(row: DestinationRow | None) -> str:
    return orjson.dumps(None if row is None else {name: getattr(row, name) for name in FIELDS}).decode()


def _row_of(text: str) -> PlainRow | None:
    columns = orjson.loads(text)
    if columns is None:
        return None
    for name in _TIMESTAMPS:
        if columns.get(name) is not None:
            columns[name] = datetime.fromisoformat(columns[name])
    return PlainRow.of(**columns)
