"""When and where tokens were last used, written behind the requests: at most once a minute per token."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from models.accounts.token import Token
from models.accounts.viewer import Protocol
from models.audit.entry import Actor, Origin
from models.audit.trail import AuditTrail, FirstUse
from models.clock import current_second
from models.database.sqlite import MooringsSqliteClient

WRITE_EVERY_S = 60.0
TOKENS_AT_ONCE = 500
"""Of one statement, so that none holds rows, or the file, for long; the requests go on between them."""
MAX_USES = 10_000
"""Pairs of a token and an address between two flushes, and those that are known to be in the audit."""


class _Use(NamedTuple):
    """The first request of a token from an address since the last flush."""

    user_id: int
    protocol: Protocol
    request_id: bytes


class TokenUsage:
    """Collects the used tokens, and the addresses they were used from, between two flushes."""

    def __init__(self, trail: AuditTrail) -> None:
        """`trail` writes the addresses that a token was not used from before into the audit."""
        self._trail = trail
        self._uses: dict[tuple[int, str], _Use] = {}
        self._used: dict[int, str] = {}
        self._due: set[int] = set()
        """Those of `_used` whose last write is a minute old."""
        self._known: set[tuple[int, str]] = set()
        self._written_at: OrderedDict[int, float] = OrderedDict()
        """Of the last minute, the oldest first."""

    def note(self, token_id: int, address: str, user_id: int, protocol: Protocol, request_id: bytes) -> None:
        """Note that a token was used just now, from an address, by a request."""
        key = token_id, address
        if key not in self._uses and len(self._uses) < MAX_USES:
            self._uses[key] = _Use(user_id, protocol, request_id)

    async def flush(self, *, everything: bool = False) -> None:
        """Write the tokens whose last write is a minute old; `everything` (at the end) writes all."""
        now = time.monotonic()
        while self._written_at and now - next(iter(self._written_at.values())) >= WRITE_EVERY_S:
            token_id, _ = self._written_at.popitem(last=False)
            if token_id in self._used:
                self._due.add(token_id)
        self._collect()
        due = sorted(self._used if everything else self._due)
        for start in range(0, len(due), TOKENS_AT_ONCE):
            token_ids = due[start : start + TOKENS_AT_ONCE]
            await _write(token_ids, [self._used[token_id] for token_id in token_ids])
            for token_id in token_ids:
                del self._used[token_id]
                self._written_at[token_id] = now
                self._written_at.move_to_end(token_id)
            self._due.difference_update(token_ids)

    def _collect(self) -> None:
        """Sort what was noted: the last address of each token, and the pairs that the audit may not know yet."""
        uses, self._uses = self._uses, {}
        if len(self._known) > MAX_USES:
            self._known.clear()
        for (token_id, address), use in uses.items():
            self._used[token_id] = address
            if token_id not in self._written_at:
                self._due.add(token_id)
            if (token_id, address) not in self._known:
                self._known.add((token_id, address))
                origin = Origin(
                    actor=Actor.USER,
                    user_id=use.user_id,
                    token_id=token_id,
                    address=address,
                    protocol=use.protocol.value,
                    request_id=use.request_id.decode("ascii"),
                )
                self._trail.note_first_use(FirstUse(token_id, address), origin)


_TOKENS = Token._meta.db_table
_POSTGRESQL = (
    f"UPDATE {_TOKENS} SET last_used_at = $1, last_address = used.address "  # noqa: S608 - a table of our own
    f"FROM unnest($2::int4[], $3::text[]) AS used(id, address) WHERE {_TOKENS}.id = used.id"
)
_SQLITE = (
    f"UPDATE {_TOKENS} SET last_used_at = ?, last_address = used.value "  # noqa: S608 - a table of our own
    f"FROM json_each(?) AS used WHERE {_TOKENS}.id = CAST(used.key AS INTEGER)"
)


async def _write(token_ids: Sequence[int], addresses: Sequence[str]) -> None:
    """Write when and from where each of these tokens was used last: one statement, though each has its own address."""
    database: Any = Token._meta.db
    if isinstance(database, MooringsSqliteClient):
        used = {str(token_id): address for token_id, address in zip(token_ids, addresses, strict=True)}
        await database.execute_query(_SQLITE, [str(current_second()), orjson.dumps(used).decode()])
    else:
        await database.fetch(_POSTGRESQL, current_second(), token_ids, addresses, is_write=True)
