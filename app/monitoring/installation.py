"""Figures of the whole installation, for `/metrics`: asked of the database at most once a minute by each process.

They are the same whichever process is asked, so Prometheus must not add them up over processes.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from app.database import answers
from models.checks.figures import counts_by_reachability, overdue, reachability_of_some
from models.destinations.attributes import Reachability
from models.errors import DatabaseUnavailable

FRESH_S = 60.0
"""How long what the database said is repeated."""
AGAIN_S = 10.0
"""Until the next try when it could not say."""
WAIT_S = 0.5
"""How long a scrape waits for the database to say it: these statements read whole tables, and wait for connections that
are all at work in an overload. Later ones have it once it is there.
"""


class InstallationFigures:
    """The text of these metrics; one that the database cannot give now is left out."""

    def __init__(self, *, check_every: timedelta | None, shown: int) -> None:
        """`shown` is how many destinations have a figure of their own, the unreachable ones first."""
        self._check_every = check_every
        self._shown = shown
        self._text = b""
        self._next_at = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def text(self) -> bytes:
        """In Prometheus' form."""
        registry = CollectorRegistry()
        Gauge("moorings_build_info", "Always 1; the label is the version.", ["version"], registry=registry).labels(
            version("moorings")
        ).set(1)
        up = Gauge("moorings_database_up", "Whether the database answers.", registry=registry)
        try:
            await answers()
        except DatabaseUnavailable:
            return generate_latest(registry)
        up.set(1)
        if self._asking is None and time.monotonic() >= self._next_at:
            self._asking = asyncio.create_task(self._ask(), name="figures of the installation")
        if self._asking is not None:
            done, _ = await asyncio.wait((self._asking,), timeout=WAIT_S)
            for task in done:
                task.result()  # raises what is a fault
        return generate_latest(registry) + self._text

    async def _ask(self) -> None:
        """Ask the database, and note when to ask again."""
        pause_s = FRESH_S
        try:
            self._text = await self._said()
        except DatabaseUnavailable:
            self._text, pause_s = b"", AGAIN_S
        finally:
            self._asking, self._next_at = None, time.monotonic() + pause_s

    async def _said(self) -> bytes:
        registry = CollectorRegistry()
        by_reachability = Gauge(
            "moorings_destinations", "Destinations, by what the last check found.", ["reachability"], registry=registry
        )
        for reachability, count in (await counts_by_reachability()).items():
            by_reachability.labels(reachability.value.lower()).set(count)
        late = Gauge("moorings_checks_overdue", "Destinations that should have been checked.", registry=registry)
        late.set(0 if self._check_every is None else await overdue(self._check_every))
        if self._shown:
            each = Gauge(
                "moorings_destination_reachable",
                "1 when the last check of a destination reached its store; some destinations, unreachable ones first.",
                ["destination"],
                registry=registry,
            )
            for id_, reachability in await reachability_of_some(self._shown):
                each.labels(str(id_)).set(reachability is Reachability.REACHABLE)
        return generate_latest(registry)
