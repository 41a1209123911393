"""The one clock: UTC in whole seconds, because both doors show no more than that."""

from __future__ import annotations

from datetime import UTC, datetime


def current_second() -> datetime:
    """The current moment, aware, its fraction of a second cut off."""
    return datetime.now(UTC).replace(microsecond=0)
