"""A valid document with one of its operations, and what is computed once for all requests that send it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import strawberry
from graphql import DocumentNode, FieldNode, GraphQLSchema, OperationDefinitionNode, OperationType

from schema.compiler.compiler import CompiledOperation, compile_mutation, compile_query
from schema.compiler.selections import NotCompilable
from schema.documents.document_limits import CHECKS, fragments_of, root_fields, selected_fields
from schema.execution.answer_size import AnswerSize
from schema.execution.cost import OperationCost
from schema.execution.shown_checks import names_checks

_COMPILERS = {OperationType.QUERY: compile_query, OperationType.MUTATION: compile_mutation}
POSITION = "latestEventId"
DocumentKey = tuple[str, str | None]
"""The text of a document and the name of the operation."""
logger = logging.getLogger("moorings.graphql")


def only_introspects(operation: OperationDefinitionNode) -> bool:
    """Whether it needs no token, and its response depends on the document and the variables alone."""
    return all(
        isinstance(node, FieldNode) and node.name.value.startswith("__") for node in operation.selection_set.selections
    )


class Prepared:
    """An operation ready to be executed. Shared by all requests that send the same document."""

    __slots__ = (
        "_compiled",
        "_is_compiled",
        "_names_checks",
        "_times_asked",
        "checks",
        "cost",
        "document",
        "key",
        "only_introspects",
        "operation",
        "shows_position",
        "size",
        "type",
    )

    def __init__(
        self, schema: GraphQLSchema, key: DocumentKey, document: DocumentNode, operation: OperationDefinitionNode
    ) -> None:
        self.key = key
        self.document = document
        self.operation = operation
        self.type: OperationType = operation.operation
        self._names_checks = names_checks(key[0])
        self.cost = OperationCost(schema, document, operation)
        self.size = AnswerSize(schema, document, operation)
        self.only_introspects = only_introspects(operation)
        # A check waits for a store, and has a longer deadline.
        self.checks = any(field.name.value in CHECKS for field in root_fields(operation, fragments_of(document)))
        # The position in the events is read before what is shown beside it, so that a stream from there misses nothing.
        self.shows_position = any(field.name.value == POSITION for field in selected_fields(document))
        self._compiled: CompiledOperation | None = None
        self._is_compiled = False
        self._times_asked = 0

    def shows_checks(self, variables: Mapping[str, Any]) -> bool:
        """As `shown_checks.shows_checks`, without another look at the document."""
        return self._names_checks or names_checks(repr(variables))

    def compiled(self, schema: strawberry.Schema, *, at_once: bool = False) -> CompiledOperation | None:
        """The operation compiled, from the second request on, or `at_once`: most documents are sent only once.

        None for subscriptions, and for an operation that only graphql-core can execute.
        """
        self._times_asked += 1
        compile_ = _COMPILERS.get(self.type)
        if compile_ is not None and not self._is_compiled and (at_once or self._times_asked >= 2):
            self._is_compiled = True
            try:
                self._compiled = compile_(schema, self.operation, fragments_of(self.document))
            except NotCompilable as reason:
                logger.debug("A %s is left to graphql-core: %s.", self.type.value, reason)
        return self._compiled
