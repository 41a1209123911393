"""The executor of graphql-core, as Strawberry extends it: introspection is projected in one step, and the events of a
subscription share no memory.
"""

from __future__ import annotations

from typing import Any

from graphql import GraphQLObjectType
from graphql.execution import Executor as CoreExecutor
from graphql.execution.collect_fields import FieldDetails
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.execution.introspection import ROOT_FIELDS, Introspection, Projection


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Executes operations; the events of one stream share nothing that grows with their number."""

    _projection: Projection | None = None

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: list[FieldDetails],
        path: Path,
        position_context: Any,
    ) -> Any:
        """The value of a field, or what it is awaited from; that of introspection is projected."""
        introspects = ROOT_FIELDS.get(field_details_list[0].node.name.value)
        if introspects is None or parent_type is not self.schema.query_type:
            return super().execute_field(parent_type, source, field_details_list, path, position_context)
        if self._projection is None:
            self._projection = Projection(Introspection.of(self.schema), self)
        try:
            return self._projection.answer(field_details_list, path)
        except Exception as error:  # noqa: BLE001 - as graphql-core does, whatever it is
            self.handle_field_error(error, introspects.type, field_details_list, path)
            return None

    def build_per_event_executor(self, payload: Any) -> CoreExecutor[Any]:
        """The executor of one event, with a memo of collected sub-fields of its own.

        graphql-core 3.3 shares that memo among the events of a stream, keyed by lists that each event makes anew: it
        never finds an entry of an earlier event, and holds 2.1 kB for each event until the stream ends.
        """
        executor = super().build_per_event_executor(payload)
        executor._relevant_sub_fields = {}
        return executor
