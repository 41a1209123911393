"""The executor of graphql-core, as Strawberry extends it, with memory per event of a subscription."""

from __future__ import annotations

from typing import Any

from graphql.execution import Executor as CoreExecutor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Executes operations; the events of one stream share nothing that grows with their number."""

    def build_per_event_executor(self, payload: Any) -> CoreExecutor[Any]:
        """The executor of one event, with a memo of collected sub-fields of its own.

        graphql-core 3.3 shares that memo among the events of a stream, keyed by lists that each event makes anew: it
        never finds an entry of an earlier event, and holds 2.1 kB for each event until the stream ends.
        """
        executor = super().build_per_event_executor(payload)
        executor._relevant_sub_fields = {}
        return executor
