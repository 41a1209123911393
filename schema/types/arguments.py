"""The arguments that several fields share, each described once."""

from __future__ import annotations

from typing import Annotated

import strawberry

from schema.types.checks import CheckDepth
from schema.types.inputs import (
    BackupDestinationEventFilter,
    BackupDestinationFilter,
    BackupDestinationOrder,
    CreateBackupDestinationInput,
    GrantBackupDestinationAccessInput,
    UpdateBackupDestinationInput,
)

IdArgument = Annotated[strawberry.ID, strawberry.argument(description="The global ID of the object.")]
IdsArgument = Annotated[list[strawberry.ID], strawberry.argument(description="Global IDs, at most 100.")]

First = Annotated[
    int | None, strawberry.argument(description="The number of items from the start, 0 to 100; the default is 15.")
]
After = Annotated[str | None, strawberry.argument(description="Only items after the edge with this cursor.")]
Last = Annotated[
    int | None,
    strawberry.argument(description="The number of items from the end, 0 to 100; not together with `first`."),
]
Before = Annotated[str | None, strawberry.argument(description="Only items before the edge with this cursor.")]
Filter = Annotated[
    BackupDestinationFilter | None, strawberry.argument(description="Conditions that the destinations must meet.")
]
EventsFilter = Annotated[
    BackupDestinationEventFilter | None, strawberry.argument(description="Conditions that the events must meet.")
]
OrderBy = Annotated[
    BackupDestinationOrder | None, strawberry.argument(description="The order of the list; by creation if left out.")
]
AfterEvent = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description="The ID of the last event already seen, or `latestEventId` of the viewer; "
        "`BackupDestinationEvent:0` is before the first event. Any other is an error with the reason `UNKNOWN_EVENT`."
    ),
]

Depth = Annotated[CheckDepth, strawberry.argument(description="Which steps to run.")]
ExpectedVersion = Annotated[
    int | None,
    strawberry.argument(description="The `version` that the change is meant for; any other is a `ConflictProblem`."),
]
CreateInput = Annotated[CreateBackupDestinationInput, strawberry.argument(description="The destination to create.")]
GrantInput = Annotated[GrantBackupDestinationAccessInput, strawberry.argument(description="The access that is wanted.")]
UpdateInput = Annotated[
    UpdateBackupDestinationInput, strawberry.argument(description="The fields to change, with their new values.")
]
