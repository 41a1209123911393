"""Turns a valid operation into Python that writes the answer straight from rows: no resolver, no object, no promise.

The source below one key is one expression: a dict display for an object, a comprehension for a list. Nothing in it
keeps account of errors. Whatever surprises - a loader that refuses, a null where none may be, a kind nobody knows -
ends the run, and graphql-core runs the query again and says what it was; a mutation that has acted is not done again,
but told what it came to (`schema/act_once.py`).
The two must print the same, byte for byte: `tests/fuzz/test_queries.py` holds them against each other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from weakref import ref

import orjson
import strawberry
from graphql import FragmentDefinitionNode, OperationDefinitionNode

from schema.compiler.mutation_source import MutationSource
from schema.compiler.query_source import OperationSource
from schema.compiler.variables import Variables
from schema.context import Context


class Bound:
    """A compiled operation with its variables, which can be run any number of times.

    It does not keep the operation, which takes much more than its text: that is for the engine to keep or to give up.
    """

    __slots__ = ("_compiled", "_given")

    def __init__(self, compiled: Compiled, given: tuple[Any, ...]) -> None:
        self._compiled = ref(compiled)
        self._given = given

    async def answer(self, context: Context) -> bytes | None:
        """The answer in JSON; None when graphql-core has to run the operation, or it was given up."""
        compiled = self._compiled()
        if compiled is None:
            return None
        try:
            return orjson.dumps({"data": await compiled.run(context, *self._given)})
        except Exception:  # noqa: BLE001 - graphql-core runs it again, and says what it was
            return None


class Compiled:
    """A compiled operation."""

    def __init__(self, variables: Variables, namespace: Mapping[str, Any]) -> None:
        """`namespace` has what the source defines: `run(context, *given)`, and `given(values)` unless that is them."""
        self._variables = variables
        self._given: Callable[[Any], tuple[Any, ...]] = namespace.get("given", lambda values: (values,))
        self.run: Callable[..., Awaitable[Any]] = namespace["run"]
        """Raises whatever surprises it."""

    def bind(self, variables: Mapping[str, Any]) -> Bound | None:
        """The operation with these variables; None when graphql-core has to say what is wrong with them."""
        try:
            return Bound(self, self._given(self._variables.of(variables)))
        except Exception:  # noqa: BLE001 - graphql-core looks at them again, and says what it was
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
    return Compiled(writer.variables, namespace)
