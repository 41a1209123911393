"""When and where tokens were last used, written behind the requests: at most once a minute per token."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import NamedTuple

from models.accounts.token import Token
from models.accounts.viewer import Protocol
from models.audit.entry import Actor, Origin
from models.audit.trail import AuditTrail, FirstUse
from models.clock import current_second

WRITE_EVERY_S = 60.0
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
        self._known: set[tuple[int, str]] = set()
        self._written_at: dict[int, float] = {}

    def note(self, token_id: int, address: str, user_id: int, protocol: Protocol, request_id: bytes) -> None:
        """Note that a token was used just now, from an address, by a request."""
        key = token_id, address
        if key not in self._uses and len(self._uses) < MAX_USES:
            self._uses[key] = _Use(user_id, protocol, request_id)

    async def flush(self, *, everything: bool = False) -> None:
        """Write the tokens whose last write is a minute old; `everything` (at the end) writes all."""
        self._collect()
        now = time.monotonic()
        due = {i for i in self._used if everything or now - self._written_at.get(i, -WRITE_EVERY_S) >= WRITE_EVERY_S}
        if not due:
            return
        by_address: dict[str, list[int]] = defaultdict(list)
        for token_id in sorted(due):
            by_address[self._used[token_id]].append(token_id)
        for address, token_ids in by_address.items():
            await Token.filter(id__in=token_ids).update(last_used_at=current_second(), last_address=address)
        for token_id in due:
            del self._used[token_id]
        recent = {i: at for i, at in self._written_at.items() if now - at < WRITE_EVERY_S}
        self._written_at = recent | dict.fromkeys(due, now)

    def _collect(self) -> None:
        """Sort what was noted: the last address of each token, and the pairs that the audit may not know yet."""
        uses, self._uses = self._uses, {}
        if len(self._known) > MAX_USES:
            self._known.clear()
        for (token_id, address), use in uses.items():
            self._used[token_id] = address
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
