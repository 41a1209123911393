"""The one clock: UTC in whole seconds, because both APIs show no more than that."""

from __future__ import annotations

from datetime import UTC, datetime
from time import time


def current_second() -> datetime:
    """The current time in UTC, its fraction of a second cut off."""
    return datetime.fromtimestamp(int(time()), UTC)
