"""Compiles a valid operation to Python that writes the response from rows, without resolvers, objects or coroutines.

The source of a response key is one expression: a dict display for an object, a comprehension for a list. It handles
no errors: a refusal, a null in a non-null position or an unknown kind ends it by an exception, and graphql-core
executes the operation again and words the error. The act of a mutation is not repeated: see `schema/act_once.py`.
Both must write the same bytes; `tests/fuzz/test_queries.py` compares them on random operations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from weakref import ref

import orjson
import strawberry
from graphql import FragmentDefinitionNode, OperationDefinitionNode

from models.timestamps import JSON_TIMESTAMPS
from schema.compiler.mutation_source import MutationSource
from schema.compiler.query_source import OperationSource
from schema.compiler.variables import Variables
from schema.context import Context


class BoundOperation:
    """A compiled operation bound to variables, which can be executed any number of times.

    It refers to the operation weakly: the engine's bounded cache of documents decides how long that memory is used.
    """

    __slots__ = ("_arguments", "_compiled")

    def __init__(self, compiled: CompiledOperation, arguments: tuple[Any, ...]) -> None:
        self._compiled = ref(compiled)
        self._arguments = arguments

    async def answer(self, context: Context) -> bytes | None:
        """The response in JSON; None when graphql-core has to execute the operation, or the engine has evicted it."""
        compiled = self._compiled()
        if compiled is None:
            return None
        try:
            return orjson.dumps({"data": await compiled.run(context, *self._arguments)}, option=JSON_TIMESTAMPS)
        except Exception:  # noqa: BLE001 - graphql-core executes the operation again, and words the error
            return None


class CompiledOperation:
    """A compiled operation without variables."""

    def __init__(self, variables: Variables, namespace: Mapping[str, Any]) -> None:
        """`namespace` has the functions of the source: `run(context, *arguments)`, and `bind(v)` for queries.

        `bind` returns the arguments of `run`; without it the coerced variables are its one argument.
        """
        self._variables = variables
        self._bind: Callable[[Any], tuple[Any, ...]] = namespace.get("bind", lambda values: (values,))
        self.run: Callable[..., Awaitable[Any]] = namespace["run"]
        """Returns the data; raises `Fallback`, or anything else that it does not handle."""

    def bind(self, variables: Mapping[str, Any]) -> BoundOperation | None:
        """The operation with these variables; None when graphql-core has to word what is wrong with them."""
        try:
            return BoundOperation(self, self._bind(self._variables.of(variables)))
        except Exception:  # noqa: BLE001 - graphql-core coerces them again, and words the error
            return None


def compile_query(
    schema: strawberry.Schema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> CompiledOperation:
    """Compile a valid query; raises `NotCompilable`."""
    return _compiled(OperationSource(schema, operation, fragments), operation)


def compile_mutation(
    schema: strawberry.Schema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> CompiledOperation:
    """Compile a valid mutation; raises `NotCompilable`."""
    return _compiled(MutationSource(schema, operation, fragments), operation)


def _compiled(writer: OperationSource, operation: OperationDefinitionNode) -> CompiledOperation:
    source = writer.source(operation.selection_set)
    namespace: dict[str, Any] = {**writer.constants}
    exec(compile(source, "<compiled operation>", "exec"), namespace)  # noqa: S102 - made of names that were validated
    return CompiledOperation(writer.variables, namespace)
