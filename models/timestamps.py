"""Timestamps as both APIs write them: UTC in whole seconds, such as `2024-08-07T00:00:00Z`."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson

JSON_TIMESTAMPS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS
"""Options with which orjson writes an aware datetime in UTC exactly as `formatted` does."""


def formatted(timestamp: datetime) -> str:
    """The text of an aware timestamp of any time zone."""
    return timestamp.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
