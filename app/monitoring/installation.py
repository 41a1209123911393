"""Figures of the whole installation, for `/metrics`: asked of the database at most once a minute by each process.

They are the same whichever process is asked, so Prometheus must not add them up over processes.
"""

from __future__ import annotations

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


class InstallationFigures:
    """The text of these metrics; one that the database cannot give now is left out."""

    def __init__(self, *, check_every: timedelta | None, shown: int) -> None:
        """`shown` is how many destinations have a figure of their own, the unreachable ones first."""
        self._check_every = check_every
        self._shown = shown
        self._text = b""
        self._asked_at: float | None = None

    async def text(self) -> bytes:
        """In Prometheus' form."""
        registry = CollectorRegistry()
        Gauge("moorings_build_info", "Always 1; the label is the version.", ["version"], registry=registry).labels(
            version("moorings")
        ).set(1)
        up = Gauge("moorings_database_up", "Whether the database answers.", registry=registry)
        try:
            await answers()
            up.set(1)
            await self._ask()
        except DatabaseUnavailable:
            return generate_latest(registry)
        return generate_latest(registry) + self._text

    async def _ask(self) -> None:
        now = time.monotonic()
        if self._asked_at is not None and now - self._asked_at < FRESH_S:
            return
        self._asked_at = now
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
        self._text = generate_latest(registry)
