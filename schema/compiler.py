"""Turns a valid operation into Python that writes the answer straight from rows: no resolver, no object, no promise.

The source below one key is one expression: a dict display for an object, a comprehension for a list. Nothing in it
keeps account of errors. Whatever surprises - a loader that refuses, a null where none may be, a kind nobody knows -
ends the run, and graphql-core runs the query again and says what it was; a mutation that has acted is not done again,
but told what it came to (`schema/outcome.py`).
The two must print the same, byte for byte: `tests/test_compiler_fuzz.py` holds them against each other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
import strawberry
from graphql import FragmentDefinitionNode, OperationDefinitionNode

from schema.context import Context
from schema.mutation_source import MutationSource
from schema.operands import Variables
from schema.operation_source import OperationSource

_JSON = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


class Compiled:
    """A compiled operation."""

    def __init__(self, variables: Variables, run: Callable[[Context, Any], Awaitable[Any]]) -> None:
        self._variables = variables
        self._run = run

    async def answer(self, context: Context, variables: Mapping[str, Any]) -> bytes | None:
        """The answer in JSON; None when graphql-core has to run the operation."""
        try:
            data = await self._run(context, self._variables.of(variables))
            return orjson.dumps({"data": data}, None, _JSON)
        except Exception:  # noqa: BLE001 - graphql-core runs it again, and says what it was
            return None


def compile_query(
    schema: strawberry.Schema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> Compiled:
    """Compile a valid query; raises `NotCompilable`."""
    return _compiled(OperationSource(schema, operation, fragments), operation)


def compile_mutation(
    schema: strawberry.Schema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> Compiled:
    """Compile a valid mutation; raises `NotCompilable`."""
    return _compiled(MutationSource(schema, operation, fragments), operation)


def _compiled(writer: OperationSource, operation: OperationDefinitionNode) -> Compiled:
    source = writer.source(operation.selection_set)
    namespace: dict[str, Any] = {**writer.constants}
    exec(compile(source, "<compiled operation>", "exec"), namespace)  # noqa: S102 - made of names that were validated
    return Compiled(writer.variables, namespace["run"])
