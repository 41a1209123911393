"""The scalar `DateTime`: a timestamp in UTC, in the format that both APIs use."""

from __future__ import annotations

from datetime import UTC, datetime

import strawberry
from strawberry.types.scalar import ScalarDefinition

from models.timestamps import formatted


def parsed(value: object) -> datetime:
    """A timestamp of an argument, in UTC; raises `ValueError` for other values, and for a text without an offset."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
        if time is not None and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("A timestamp has the form 2024-08-07T00:00:00Z.")


DATE_TIME: ScalarDefinition = strawberry.scalar(
    name="DateTime",
    description="A timestamp in UTC, in whole seconds, such as `2024-08-07T00:00:00Z`.",
    specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
    serialize=formatted,
    parse_value=parsed,
)
