"""Moments as both doors write them: in UTC and whole seconds, such as `2024-08-07T00:00:00Z`.

Writing one takes longer than finding what was written before, and the engines hand out the same moments again and
again (`models/database/timestamps.py`); of a page of rows, moments were two thirds of what writing the JSON cost.
"""

from __future__ import annotations

from datetime import UTC, datetime

from models.bounded_cache import Remembered


class WrittenMoments(Remembered[datetime, str]):
    """The text of each moment, which must know its zone."""

    def find_out(self, key: datetime) -> str:
        """Write a moment; AttributeError for what is none, such as the None of an empty column."""
        return key.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


WRITTEN = WrittenMoments()
"""Those of this process."""
