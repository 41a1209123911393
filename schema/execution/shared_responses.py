"""The responses to events, made once for all streams of a user that are at the same position and select the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import FieldNode, OperationDefinitionNode, VariableNode, Visitor, visit

from models.checks.jobs import JobBatch
from models.events.event_stream import EventBatch
from schema.execution.not_executed import Answer
from schema.execution.prepared import DocumentKey, Prepared

Batch = EventBatch | JobBatch
SelectionKey = tuple[DocumentKey, bytes]
"""A document and operation, and the variables that what is selected depends on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Responses:
    """The responses to a batch of events, in JSON, and the ids of the events that they are of.

    `errors` are those of an event that cannot be shown: it and what follows it have no response. With `names_request`
    one of the texts has an error that names the request of the stream it was made for.
    """

    texts: tuple[bytes, ...]
    ids: tuple[str, ...] = ()
    errors: tuple[dict[str, Any], ...] = ()
    names_request: bool = False

    @classmethod
    def of(cls, answer: Answer) -> Responses:
        """The one response of an operation that is no subscription."""
        return cls(texts=(orjson.dumps(answer),))


MakeResponses = Callable[[Batch], Responses | Coroutine[Any, Any, Responses]]
"""Makes the responses to a batch: at once, or by a coroutine if it has to wait for what they show."""


async def shared_responses(batch: Batch, selection: SelectionKey, make: MakeResponses) -> Responses:
    """The responses to a batch; `make` is called by the first stream that asks for what is selected.

    Those that are made at once need no task, whose turns of the event loop other requests would get between.

    Those with errors are made anew for the next stream: the database may be back then. Those that name a request are
    made for each stream, whose own request they have to name.
    """
    making: Responses | asyncio.Task[Responses] | None = batch.shared.get(selection)
    is_first = making is None
    if making is None:
        made = make(batch)
        making = made if isinstance(made, Responses) else asyncio.create_task(made, name="responses to events")
        batch.shared[selection] = making
    responses = making if isinstance(making, Responses) else await asyncio.shield(making)
    if (responses.errors or responses.names_request) and batch.shared.get(selection) is making:
        del batch.shared[selection]
    if is_first or not responses.names_request:
        return responses
    own = make(batch)
    return own if isinstance(own, Responses) else await own


def selection_key(prepared: Prepared, variables: Mapping[str, Any]) -> SelectionKey:
    """What the responses of a stream depend on, besides the events: not on where the stream begins."""
    if not prepared.operation.variable_definitions:
        return prepared.key, b""
    begins = _position_variable(prepared.operation)
    uses = _Uses()
    visit(prepared.document, uses)
    declared = (definition.variable.name.value for definition in prepared.operation.variable_definitions or ())
    # Each variable is met once where it is declared, and once for every use.
    names = [name for name in declared if not (name == begins and uses.counts.get(name) == 2)]
    values = {name: variables[name] for name in names if name in variables}
    return prepared.key, orjson.dumps(values, option=orjson.OPT_SORT_KEYS)


def _position_variable(operation: OperationDefinitionNode) -> str | None:
    """The name of the variable that is the `after` of the root field; None if there is none."""
    for node in operation.selection_set.selections:
        for argument in (node.arguments or ()) if isinstance(node, FieldNode) else ():
            if argument.name.value == "after" and isinstance(argument.value, VariableNode):
                return argument.value.name.value
    return None


class _Uses(Visitor):
    """Counts how often each variable is met."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        name = node.name.value
        self.counts[name] = self.counts.get(name, 0) + 1
