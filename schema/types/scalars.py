"""The scalar `DateTime`: a timestamp in UTC, in the format that both APIs use."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.types.scalar import ScalarDefinition

from models.timestamps import formatted

DATE_TIME: ScalarDefinition = strawberry.scalar(
    name="DateTime",
    description="A timestamp in UTC, in whole seconds, such as `2024-08-07T00:00:00Z`.",
    specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
    serialize=formatted,
    parse_value=datetime.fromisoformat,
)
