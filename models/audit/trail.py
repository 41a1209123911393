"""What is written into the audit behind the requests: refused sign-ins, and addresses that a token is used from first.

No request waits for it, and clients decide how often it happens. So it is bounded: refusals of one address for one
reason are counted together, at most two entries a minute, and all entries together have an allowance. What is beyond
the allowance is counted in one entry without an address.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, NoReturn

from models.audit.entry import Actor, AuditEntry, AuditKind, Origin
from models.audit.recording import entry_of, log, without_stored
from models.errors import DatabaseUnavailable

FLUSH_S = 1.0
WINDOW_S = 60.0
"""Refusals of one address for one reason are one entry at once, and one for all that follow within this time."""
ENTRIES_AT_ONCE = 256
ENTRIES_PER_S = 0.1
"""The allowance: entries at once after a quiet time, and those that it grows by; some 9,000 a day in each process."""
MAX_WAITING = 1_024
"""Entries that wait for a database that is away, and first uses that wait to be looked up."""


class RefusedSignIn(StrEnum):
    """Why a token was refused."""

    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"
    DISABLED = "disabled"
    """Its user is disabled."""
    NETWORK = "network"
    """It may not be used from the client's address."""
    VARIOUS = "various"
    """More refusals than the audit tells apart."""


class FirstUse(NamedTuple):
    """A token, and an address that this process has not seen it used from."""

    token_id: int
    address: str


@dataclass(slots=True, kw_only=True)
class _Refusals:
    """Refusals of one window."""

    origin: Origin
    began: float
    count: int = 1
    is_written: bool = False


class AuditTrail:
    """The entries of one process that are written behind."""

    def __init__(self) -> None:
        self._refusals: dict[tuple[str | None, RefusedSignIn, int | None], _Refusals] = {}
        self._first_uses: dict[FirstUse, Origin] = {}
        self._waiting: list[AuditEntry] = []
        self._is_unsure = False
        """Whether some of those that wait may be stored: the database went away while it was to store them."""
        self._allowance = float(ENTRIES_AT_ONCE)
        self._allowed_at = time.monotonic()
        self.losses: Counter[str] = Counter({"refusals without an address": 0, "first uses": 0, "entries": 0})
        """What the audit does not have, or not as it should."""

    def note_refusal(self, reason: RefusedSignIn, origin: Origin) -> None:
        """Count a refused sign-in; costs no more than that, however many there are."""
        key = origin.address, reason, origin.token_id
        refusals = self._refusals.get(key)
        if refusals is not None:
            refusals.count += 1
        elif self._takes(2):
            self._refusals[key] = _Refusals(origin=origin, began=time.monotonic())
        else:
            self.losses["refusals without an address"] += 1
            self._note_various()

    def note_first_use(self, use: FirstUse, origin: Origin) -> None:
        """Write that a token is used from an address, unless the audit knows."""
        if len(self._first_uses) < MAX_WAITING:
            self._first_uses[use] = origin
        else:
            self.losses["first uses"] += 1

    async def write_repeatedly(self) -> NoReturn:
        """Write what there is, every `FLUSH_S` seconds; a database that is away is tried again."""
        while True:
            await asyncio.sleep(FLUSH_S)
            with suppress(DatabaseUnavailable):
                await self.flush()

    async def flush(self, *, everything: bool = False) -> None:
        """Write what is due, or `everything`, at the end; raises `DatabaseUnavailable`, and keeps it then."""
        self._wait(self._due_refusals(everything=everything))
        uses, self._first_uses = self._first_uses, {}
        try:
            self._wait(await self._unknown(uses))
        except DatabaseUnavailable:
            self._first_uses = uses | self._first_uses
            raise
        sent, self._waiting = self._waiting, []
        if sent:
            try:
                await AuditEntry.bulk_create(await without_stored(sent) if self._is_unsure else sent)
            except DatabaseUnavailable:
                self._waiting = sent + self._waiting
                self._is_unsure = True
                raise
            self._is_unsure = False

    def _note_various(self) -> None:
        key = None, RefusedSignIn.VARIOUS, None
        various = self._refusals.get(key)
        if various is None:
            self._refusals[key] = _Refusals(origin=Origin(actor=Actor.STRANGER), began=time.monotonic())
        else:
            various.count += 1

    def _due_refusals(self, *, everything: bool) -> list[AuditEntry]:
        """The first refusal of each window at once, those that followed when the window ends."""
        entries, now = [], time.monotonic()
        for key, refusals in list(self._refusals.items()):
            _, reason, token_id = key
            is_over = everything or now - refusals.began >= WINDOW_S
            if refusals.count and (is_over or not refusals.is_written):
                subject = "token" if token_id is None else f"token {token_id}"
                entries.append(
                    entry_of(
                        refusals.origin,
                        AuditKind.SIGN_IN_REFUSED,
                        subject,
                        reason=reason.value,
                        count=refusals.count,
                    )
                )
                refusals.count, refusals.is_written = 0, True
                refusals.origin = replace(refusals.origin, request_id=None)
            if is_over:
                del self._refusals[key]
        return entries

    async def _unknown(self, uses: dict[FirstUse, Origin]) -> list[AuditEntry]:
        """The entries of those uses that the audit does not know."""
        if not uses:
            return []
        known = await AuditEntry.filter(
            kind=AuditKind.ADDRESS_FIRST_SEEN,
            token_id__in=list({use.token_id for use in uses}),
            address__in=list({use.address for use in uses}),
        ).values_list("token_id", "address")
        entries = []
        for use in uses.keys() - {FirstUse(*pair) for pair in known}:
            if self._takes(1):
                subject = f"token {use.token_id}"
                entries.append(entry_of(uses[use], AuditKind.ADDRESS_FIRST_SEEN, subject))
            else:
                self.losses["first uses"] += 1
        return entries

    def _wait(self, entries: Iterable[AuditEntry]) -> None:
        for entry in entries:
            log(entry)
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(entry)
            else:
                self.losses["entries"] += 1

    def _takes(self, entries: int) -> bool:
        """Take something of the allowance, if there is enough."""
        now = time.monotonic()
        grown = self._allowance + (now - self._allowed_at) * ENTRIES_PER_S
        self._allowance, self._allowed_at = min(grown, ENTRIES_AT_ONCE), now
        if self._allowance < entries:
            return False
        self._allowance -= entries
        return True
