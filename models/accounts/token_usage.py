"""When tokens were last used, written behind: at most once a minute per token, never while a request waits."""

from __future__ import annotations

import time

from models.accounts.token import Token
from models.clock import current_second

WRITE_EVERY_S = 60.0


class TokenUsage:
    """Collects the ids of used tokens between two flushes."""

    def __init__(self) -> None:
        self._used: set[int] = set()
        self._written_at: dict[int, float] = {}

    def note(self, token_id: int) -> None:
        """Remember that the token was used just now."""
        self._used.add(token_id)

    async def flush(self, *, everything: bool = False) -> None:
        """Write the tokens whose last write is a minute old; `everything` (at the end) writes all."""
        now = time.monotonic()
        due = {i for i in self._used if everything or now - self._written_at.get(i, -WRITE_EVERY_S) >= WRITE_EVERY_S}
        if not due:
            return
        await Token.filter(id__in=sorted(due)).update(last_used_at=current_second())
        self._used -= due
        recent = {i: at for i, at in self._written_at.items() if now - at < WRITE_EVERY_S}
        self._written_at = recent | dict.fromkeys(due, now)
