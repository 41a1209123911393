"""The figures of a measurement: what one round found, and the medians over the rounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from math import ceil
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What a contender did in one round, or in the median of all; times in milliseconds or microseconds as named."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    server_us: float
    database_us: float
    generator_us: float
    resident_mb: float

    def rounded(self) -> dict[str, float]:
        """The figures by name, with the digits that mean something."""
        return {name: float(f"{value:.4g}") for name, value in asdict(self).items()}


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed, by nearest rank; raises ValueError for none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is no percentile of nothing")
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def median(values: Iterable[float]) -> float:
    """The middle value, or the mean of the two in the middle; raises ValueError for none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is no median of nothing")
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def medians(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure over the rounds."""
    found: dict[str, Any] = {f.name: median(getattr(one, f.name) for one in rounds) for f in fields(Figures)}
    return Figures(**found)


def ratio(one: float, other: float) -> float:
    """How many times `other` goes into `one`; nothing goes into nothing once."""
    return one / other if other else 1.0 if one == other else float("inf")
