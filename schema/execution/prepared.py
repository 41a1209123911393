"""A document that is valid, with the operation of it that was asked for and what is worth remembering about it."""

from __future__ import annotations

import logging

import strawberry
from graphql import DocumentNode, FieldNode, OperationDefinitionNode, OperationType

from schema.compiler.compiler import CompiledOperation, compile_mutation, compile_query
from schema.compiler.selections import NotCompilable
from schema.execution.cost import OperationCost
from schema.execution.document_limits import CHECKS, fragments_of, root_fields

_COMPILERS = {OperationType.QUERY: compile_query, OperationType.MUTATION: compile_mutation}
logger = logging.getLogger("moorings.graphql")


class Prepared:
    """An operation ready to run. Shared by all requests that send the same document."""

    __slots__ = ("_compiled", "_times_asked", "checks", "cost", "document", "only_introspects", "operation", "type")

    def __init__(self, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self.document = document
        self.operation = operation
        self.type: OperationType = operation.operation
        self.cost = OperationCost(document, operation)
        # Nothing but the schema, which needs no token.
        self.only_introspects = all(
            isinstance(node, FieldNode) and node.name.value.startswith("__")
            for node in operation.selection_set.selections
        )
        # Whether it waits for a store, which may take its time.
        self.checks = any(field.name.value in CHECKS for field in root_fields(operation, fragments_of(document)))
        self._compiled: CompiledOperation | None = None
        self._times_asked = 0

    def compiled(self, schema: strawberry.Schema) -> CompiledOperation | None:
        """The operation compiled, from the second time on: most documents that come once never come again.

        None for subscriptions, and for an operation that only graphql-core can run.
        """
        self._times_asked += 1
        compile_ = _COMPILERS.get(self.type)
        if self._times_asked == 2 and compile_ is not None:
            try:
                self._compiled = compile_(schema, self.operation, fragments_of(self.document))
            except NotCompilable as reason:
                logger.debug("A %s is left to graphql-core: %s.", self.type.value, reason)
        return self._compiled
