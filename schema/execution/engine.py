"""Runs documents on graphql-core: parse, limit, validate once per text; coerce, charge and execute once per request.

Not `strawberry.Schema.execute`: that repeats whole inputs in coercion errors, logs them, and offers no place between
parsing and validating, where a hostile document has to be stopped.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    execute,
    parse,
    subscribe,
)

from schema.compiler.compiler import BoundOperation
from schema.context import Context
from schema.errors import Code, error_of, formatted, formatted_failure, refusal
from schema.execution.coercion import variable_errors
from schema.execution.document_limits import LimitExceeded, check_size, selected_fields
from schema.execution.executor import Executor
from schema.execution.prepared import Prepared
from schema.execution.validation import MAX_ERRORS, errors_in
from schema.limits import Limits
from schema.resolvers.definition import make_schema

MAX_DOCUMENTS = 1_000
MAX_CHARACTERS = 500_000
"""Of all kept documents together: one of the worst sort takes two hundred times its length."""
CHECK_S = 4.0
"""Beyond the time of other operations: a check has ten seconds, and may have to wait for its turn before."""
Answer = dict[str, Any]


class NotExecuted(Exception):
    """The request ended before execution began: it has no data, only errors."""

    def __init__(self, *errors: dict[str, Any]) -> None:
        super().__init__("not executed")
        self.answer: Answer = {"errors": list(errors)}


class ResponseText(NamedTuple):
    """An answer in JSON; `is_whole` says that it has no errors."""

    text: bytes
    is_whole: bool

    @classmethod
    def of(cls, answer: Answer) -> ResponseText:
        """An answer of graphql-core's."""
        return cls(text=orjson.dumps(answer), is_whole="errors" not in answer)


class Engine:
    """The schema, its limits, and the documents it has seen."""

    def __init__(self, limits: Limits, *, introspection: bool = True) -> None:
        self.limits = limits
        self._introspection = introspection
        self._strawberry = make_schema()
        self._schema: GraphQLSchema = self._strawberry._schema
        self._kept: OrderedDict[tuple[str, str | None], Prepared] = OrderedDict()
        self._kept_characters = 0

    def prepare(self, text: str, operation_name: str | None) -> Prepared:
        """Parse, limit and validate; raises `NotExecuted`. A valid document is kept with its operation."""
        key = (text, operation_name)
        prepared = self._kept.get(key)
        if prepared is None:
            prepared = self._prepare(text, operation_name)
            self._kept[key] = prepared
            self._kept_characters += len(text)
            while len(self._kept) > MAX_DOCUMENTS or self._kept_characters > MAX_CHARACTERS:
                (oldest, _), _ = self._kept.popitem(last=False)
                self._kept_characters -= len(oldest)
        else:
            self._kept.move_to_end(key)
        return prepared

    async def run(self, prepared: Prepared, variables: Mapping[str, Any], context: Context) -> Answer:
        """Execute a query or a mutation; raises `NotExecuted` when the variables do not fit or cost too much."""
        self._admit(prepared, variables)
        allowed_s = self.limits.execution_s + (CHECK_S if prepared.checks else 0)
        try:
            async with asyncio.timeout(allowed_s):
                result: Any = execute(self._schema, prepared.document, **self._options(prepared, variables, context))
                return _answer(result if isinstance(result, ExecutionResult) else await result)
        except TimeoutError:
            return _timed_out(allowed_s)

    def bind(self, prepared: Prepared, variables: Mapping[str, Any]) -> BoundOperation | None:
        """The operation compiled, with these variables; None when only graphql-core can run it, or refuse it."""
        compiled = prepared.compiled(self._strawberry)
        if compiled is None or not prepared.cost.is_within(self.limits.cost, variables):
            return None
        return compiled.bind(variables)

    async def write(
        self, bound: BoundOperation | None, prepared: Prepared, variables: Mapping[str, Any], context: Context
    ) -> ResponseText:
        """Execute as `run` does, and write the answer in JSON: straight from rows, if `bind` could make that of it.

        A compiled query waits for nothing but its statements, and those have deadlines of their own.
        """
        if bound is None:
            text = None
        elif prepared.type is OperationType.QUERY:
            text = await bound.answer(context)
        else:
            try:
                async with asyncio.timeout(self.limits.execution_s):
                    text = await bound.answer(context)
            except TimeoutError:
                return ResponseText.of(_timed_out(self.limits.execution_s))
        if text is not None:
            return ResponseText(text=text, is_whole=True)
        return ResponseText.of(await self.run(prepared, variables, context))

    async def listen(
        self, prepared: Prepared, variables: Mapping[str, Any], context: Context
    ) -> AsyncGenerator[Answer, None]:
        """Execute a subscription; raises `NotExecuted` when it does not begin."""
        self._admit(prepared, variables)
        options = self._options(prepared, variables, context)
        result: Any = subscribe(self._schema, prepared.document, **options)
        if not isinstance(result, ExecutionResult) and not hasattr(result, "__aiter__"):
            result = await result
        if isinstance(result, ExecutionResult):
            raise NotExecuted(*_answer(result)["errors"])
        return _answers(result)

    def _prepare(self, text: str, operation_name: str | None) -> Prepared:
        if len(text.encode("utf-8", "surrogatepass")) > self.limits.document_bytes:
            raise NotExecuted(refusal(f"The document is larger than {self.limits.document_bytes} bytes.", Code.LIMIT))
        try:
            document = parse(text, max_tokens=self.limits.tokens, max_lexical_tokens=2 * self.limits.tokens)
        except GraphQLError as error:
            raise NotExecuted(formatted(error, Code.PARSE_FAILED)) from None
        except (RecursionError, UnicodeError):
            raise NotExecuted(refusal("The document is not readable.", Code.PARSE_FAILED)) from None
        operation = _operation(document, operation_name)
        try:
            check_size(document, operation, self.limits)
        except LimitExceeded as error:
            raise NotExecuted(refusal(str(error), Code.LIMIT)) from None
        errors = errors_in(self._schema, document)
        if errors:
            raise NotExecuted(*errors)
        prepared = Prepared(document, operation)
        if not self._introspection and _asks_for_schema(document):
            raise NotExecuted(refusal("This gateway does not show its schema.", Code.VALIDATION_FAILED))
        return prepared

    def _admit(self, prepared: Prepared, variables: Mapping[str, Any]) -> None:
        wrong = variable_errors(self._schema, prepared.operation, variables, at_most=MAX_ERRORS)
        if wrong:
            raise NotExecuted(*(refusal(message, Code.BAD_USER_INPUT) for message in wrong))
        try:
            prepared.cost.require(self.limits.cost, variables)
        except LimitExceeded as error:
            raise NotExecuted(refusal(str(error), Code.LIMIT)) from None

    def _options(self, prepared: Prepared, variables: Mapping[str, Any], context: Context) -> dict[str, Any]:
        name = prepared.operation.name
        return {
            "context_value": context,
            "variable_values": dict(variables),
            "operation_name": None if name is None else name.value,
            "executor_class": Executor,
        }


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The one operation that is meant; several need a name, there is no first among them."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    named = operations if name is None else [o for o in operations if o.name is not None and o.name.value == name]
    if len(named) == 1:
        return named[0]
    if not operations:
        message = "The document has no operation."
    elif name is None:
        message = "The document has several operations; `operationName` must say which."
    else:
        message = "The document has no operation of that name, or several."
    raise NotExecuted(refusal(message, Code.VALIDATION_FAILED))


def _asks_for_schema(document: DocumentNode) -> bool:
    return any(field.name.value in ("__schema", "__type") for field in selected_fields(document))


def _timed_out(allowed_s: float) -> Answer:
    return {"data": None, "errors": [refusal(f"The operation took longer than {allowed_s:g} seconds.", Code.TIMED_OUT)]}


def _answer(result: ExecutionResult) -> Answer:
    answer: Answer = {"data": result.data}
    if result.errors:
        answer["errors"] = [formatted_failure(error) for error in result.errors]
    return answer


async def _answers(results: Any) -> AsyncGenerator[Answer, None]:
    """Each result of a source; raises `NotExecuted` for whatever ends it, which is an error of this operation alone."""
    try:
        async with aclosing(results):
            async for result in results:
                yield _answer(result)
    except Exception as error:  # noqa: BLE001 - a source is a resolver too, and no other error of one reaches a caller
        raise NotExecuted(error_of(error)) from None
