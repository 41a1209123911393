"""What tests of checks share: a prober that a test can pause, and the services on a gateway's database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from models.accounts.viewer import Protocol, Viewer
from models.checks.checks import Checks
from models.checks.report import (
    Admit,
    CheckCode,
    CheckDepth,
    CheckOutcome,
    CheckReport,
    CheckStep,
    CheckStepName,
    Prober,
    ProbeTarget,
    all_steps,
)
from models.clock import current_second
from models.destinations.attributes import Attribute, DestinationKind
from models.events.event_stream import EventStreams
from models.reads.reads import Reads
from models.service import DestinationService
from models.vault.vault import Vault
from tests.support.api.destinations import events_of, stored
from tests.support.databases.services import service_of, viewer_of_token
from tests.support.gateway.gateway import Account, Gateway

DEADLINE_S = 60.0
LONG_AGO = "'2024-08-07 00:00:00+00:00'"


async def uncounted(_user_id: int) -> None:
    """Counts no user: a `count` of `Checks` without a limit."""


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition that no event announces."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


def found(depth: CheckDepth, *, reachable: bool) -> CheckReport:
    """A report of now: every step passed, or the last one was denied."""
    name = CheckStepName.LIST if depth is CheckDepth.READ_ONLY else CheckStepName.WRITE
    outcome, code = (CheckOutcome.PASSED, None) if reachable else (CheckOutcome.FAILED, CheckCode.ACCESS_DENIED)
    step = CheckStep(name=name, outcome=outcome, code=code, duration_ms=7)
    return CheckReport(checked_at=current_second(), steps=all_steps({name: step}))


@dataclass(slots=True)
class HeldProber:
    """Pauses every probe until `release`, and records which have begun and how many ran at once."""

    reachable: bool = True
    probed: list[tuple[str, CheckDepth]] = field(default_factory=list)
    under_way: int = 0
    most_at_once: int = 0
    _released: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def release(self, count: int = 1) -> None:
        """Let so many probes end, running ones or later ones."""
        for _ in range(count):
            self._released.release()

    async def probe(self, target: ProbeTarget, depth: CheckDepth, admit: Admit | None = None) -> CheckReport:
        """See `Prober`."""
        self.probed.append((target.bucket_name, depth))
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await self._released.acquire()
        finally:
            self.under_way -= 1
        return found(depth, reachable=self.reachable)


@dataclass(slots=True)
class Stage:
    """A user of a gateway's database, which is open in this process."""

    account: Account
    vault: Vault
    service: DestinationService
    viewer: Viewer
    asked: int = 0
    """How often a user was counted, in all `Checks` together."""

    @property
    def gateway(self) -> Gateway:
        return self.account.gateway

    def checks(self, prober: Prober) -> Checks:
        """The checks of one more process: it shares the database with the others, and nothing else."""
        return Checks(self.vault, prober, EventStreams(Reads()), count=self._count, outcomes=Counter())

    async def _count(self, _user_id: int) -> None:
        self.asked += 1

    async def make(self, **changes: object) -> int:
        """A new destination with a store."""
        values: dict[Attribute, object] = {
            Attribute.LABEL: "Nightly",
            Attribute.KIND: DestinationKind.CUSTOM_S3,
            Attribute.ENDPOINT: "https://s3.example.com",
            Attribute.BUCKET_NAME: "nightly",
            Attribute.PATH_STYLE_ENDPOINT: True,
            Attribute.ACCESS_KEY: "a-key",
            Attribute.SECRET_KEY: "a-secret",
        }
        values |= {Attribute(name): value for name, value in changes.items()}
        return (await self.service.create(self.viewer, values)).id

    async def row(self, id_: int) -> dict[str, Any]:
        """The destination as it is stored."""
        return await stored(self.gateway, id_)

    async def checked(self) -> list[tuple[str, bool]]:
        """The protocol and the outcome of every `checked` event, oldest first."""
        events = await events_of(self.gateway, self.account.user_id)
        return [(event["protocol"], bool(event["reachable"])) for event in events if event["kind"] == "checked"]


@asynccontextmanager
async def on_stage(gateway: Gateway) -> AsyncIterator[Stage]:
    """A new user on the gateway's database."""
    account = await gateway.new_user()
    vault = Vault(gateway.settings["secret_keys"])
    async with gateway.models():
        viewer = await viewer_of_token(account.token, Protocol.GRAPHQL)
        yield Stage(account, vault, service_of(vault), viewer)


async def age(gateway: Gateway, seconds: float, column: str = "created_at") -> None:
    """Set the time of creation, or of the last check, of every destination to so long ago."""
    timestamp = current_second() - timedelta(seconds=seconds)
    await gateway.rows(f"UPDATE backup_destinations SET {column} = '{timestamp}'")  # noqa: S608 - a datetime
