"""Executes documents: parses, limits and validates once per document; coerces variables and counts cost per request.

In place of `strawberry.Schema.execute`, which repeats whole inputs in coercion errors, logs them, and has no step
between parsing and validation, where the limits of a document must be checked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from hashlib import blake2b
from secrets import token_bytes
from sys import getsizeof
from typing import Any, NamedTuple

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    create_source_event_stream,
    execute,
    execute_subscription_event,
)

from models.accounts.viewer import Viewer
from models.errors import AbilityMissing, OutcomeUnknown, Unauthenticated
from schema.compiler.compiler import BoundOperation
from schema.context import Context
from schema.documents.document_limits import LimitExceeded, check_size, selected_fields
from schema.documents.literals import outline_of, parse_outline
from schema.documents.tokens import parse_document, scan
from schema.errors import Code, error_of, formatted, formatted_failure, refusal
from schema.execution.coercion import variable_errors
from schema.execution.executor import Executor
from schema.execution.not_executed import Answer, NotExecuted
from schema.execution.persisted.queries import PersistedQueries
from schema.execution.prepared import DocumentKey, Prepared, only_introspects
from schema.execution.shared_responses import Batch, Responses, selection_key
from schema.execution.subscribed import Subscribed, Subscriptions
from schema.execution.validation import MAX_ERRORS, errors_in
from schema.limits import Limits
from schema.resolvers.definition import make_schema
from schema.resolvers.subscription import present_batch
from web.cache.bounded_memo import BoundedMemo, compact
from web.metrics.memories import Memory

MAX_DOCUMENT_BYTES = 96 * 2**20
DOCUMENT_BYTES = 14_000
BYTES_PER_CHARACTER = 200
"""The memory of a prepared document, at most, compiled and with the sizes that are known of it: in any case, and for
each character of its text.
"""
MAX_ANONYMOUS_CHARACTERS = 8_192
MAX_PLAIN_ANONYMOUS_CHARACTERS = 200
"""Of one that asks for nothing of the schema: it is refused, but a client that tries out learns of a syntax error."""
MAX_ANONYMOUS_TOKENS = 800
"""Of a document without a token: the introspection query of the usual tools has some 400."""
MAX_OUTLINES_BYTES = 8 * 2**20
"""Of documents with variables in the place of their literals."""
MAX_REFUSED_BYTES = 2 * 2**20
ERROR_BYTES = 1_000
"""The memory of one formatted error, at most."""
MAX_INTROSPECTION_BYTES = 4 * 2**20
"""Some fifty responses to the introspection query of the usual tools."""
EXPENSIVE = 500
"""The cost from which an operation is compiled for its first request: compiling takes less time than it saves."""
_CHANGED_BY_AN_OUTLINE = Counter({"(": 1, "$": 1})
"""Tokens of the rules that a valid document may break with variables in the place of its literals."""
CHECK_S = 4.0
"""Added to the time limit of an operation with a check, which has ten seconds of its own and may wait in a queue."""
__all__ = ["Answer", "Engine", "NotExecuted", "ResponseText"]


class _Untaken(Enum):
    """Outlines that are not executed in the place of documents."""

    ONCE = auto()
    """So far one document has it: most are sent only once."""
    NEVER = auto()


class ResponseText(NamedTuple):
    """A response in JSON; `is_whole` if it has no errors."""

    text: bytes
    is_whole: bool

    @classmethod
    def of(cls, answer: Answer) -> ResponseText:
        """The text of a response of graphql-core."""
        return cls(text=orjson.dumps(answer), is_whole="errors" not in answer)


class Engine:
    """The schema, the limits, and memos of what depends on a document alone, each bounded by bytes."""

    def __init__(
        self, limits: Limits, *, introspection: bool = True, persisted: PersistedQueries | None = None
    ) -> None:
        self.limits = limits
        self._introspection = introspection
        self._strawberry = make_schema()
        self._schema: GraphQLSchema = self._strawberry._schema
        self.persisted = PersistedQueries(enabled=True) if persisted is None else persisted
        self._subscriptions = Subscriptions(limits.user_subscriptions)
        self._documents: BoundedMemo[DocumentKey, Prepared] = BoundedMemo(MAX_DOCUMENT_BYTES)
        self._outlines: BoundedMemo[DocumentKey, Prepared | _Untaken] = BoundedMemo(MAX_OUTLINES_BYTES)
        self._refused: BoundedMemo[bytes, list[dict[str, Any]]] = BoundedMemo(MAX_REFUSED_BYTES)
        self._digest_key = token_bytes(16)  # so that nobody can make two documents of one digest
        self._introspections: BoundedMemo[tuple[DocumentKey, bytes], bytes] = BoundedMemo(MAX_INTROSPECTION_BYTES)

    def memories(self) -> list[Memory]:
        """What it keeps of documents, and how much at most."""
        return [
            Memory(name="documents", read=lambda: self._documents.bytes, max_bytes=MAX_DOCUMENT_BYTES),
            Memory(name="documents without literals", read=lambda: self._outlines.bytes, max_bytes=MAX_OUTLINES_BYTES),
            Memory(name="refused documents", read=lambda: self._refused.bytes, max_bytes=MAX_REFUSED_BYTES),
            Memory(name="introspections", read=lambda: self._introspections.bytes, max_bytes=MAX_INTROSPECTION_BYTES),
            *self.persisted.memories(),
        ]

    def prepare(
        self,
        text: str,
        operation_name: str | None,
        *,
        sha256: str | None = None,
        document_id: str | None = None,
        is_anonymous: bool = False,
        viewer: Viewer | None = None,
    ) -> Prepared:
        """Parse, limit and validate a document, or find it in the memo, by its hash or ID where the text is empty.

        A viewer's document has to be a trusted one where that is enforced, and is stored by its hash.

        Raises `NotExecuted`, from a memo too where the document was refused before, and `Unauthenticated` for an
        anonymous request of more than introspection, before the document is validated.
        """
        text = self.persisted.text_of(text, sha256, document_id)
        self.persisted.require_trusted(text, viewer)
        key = (text, operation_name)
        prepared = self._documents.get(key)
        if prepared is None:
            most = MAX_ANONYMOUS_CHARACTERS if "__" in text else MAX_PLAIN_ANONYMOUS_CHARACTERS
            if is_anonymous and len(text) > most:
                raise Unauthenticated
            digest = self._digest(key, is_anonymous=is_anonymous)
            errors = self._refused.get(digest)
            if errors is not None:
                raise NotExecuted(*errors)
            try:
                prepared = self._prepare(key, is_anonymous=is_anonymous)
            except NotExecuted as refused:
                errors = refused.answer["errors"]
                self._refused.put(digest, errors, ERROR_BYTES * len(errors))
                raise
            self._documents.put(key, prepared, _size(text))
            self._learn_outline(prepared)
        elif is_anonymous and not prepared.only_introspects:
            raise Unauthenticated
        if viewer is not None:
            self.persisted.store(text, sha256, viewer.user_id)
        return prepared

    def known(self, text: str, operation_name: str | None) -> Prepared | None:
        """A document that was prepared before; None if it is not in the memo."""
        return self._documents.get((text, operation_name))

    def bind_outline(
        self, text: str, operation_name: str | None, variables: Mapping[str, Any]
    ) -> BoundOperation | None:
        """A query that differs from others in its literals alone, compiled and bound; None where only its own
        preparation can tell what it is.
        """
        outline = outline_of(text)
        prepared = None if outline is None else self._outlines.get((outline.text, operation_name))
        if outline is None or prepared is None or isinstance(prepared, _Untaken):
            return None
        return self.bind(prepared, outline.variables(variables), at_once=True)

    def _learn_outline(self, prepared: Prepared) -> None:
        """Prepare a valid query without its literals, once two differ in nothing else."""
        text, operation_name = prepared.key
        is_compiled = prepared.type is OperationType.QUERY and not prepared.only_introspects
        outline = outline_of(text) if is_compiled else None
        if outline is None:
            return
        key = (outline.text, operation_name)
        known = self._outlines.get(key)
        if known is None:
            self._outlines.put(key, _Untaken.ONCE, len(text))
        elif known is _Untaken.ONCE:
            self._outlines.put(key, self._prepare_outline(key) or _Untaken.NEVER, _size(text))

    def _prepare_outline(self, key: DocumentKey) -> Prepared | None:
        """An outline as a query; None for one that is not valid, as where two fields with one key differ in it."""
        try:
            parsed = parse_outline(self._schema, key[0])
        except GraphQLError:
            return None
        if parsed is None or errors_in(self._schema, parsed[0], _CHANGED_BY_AN_OUTLINE):
            return None
        return Prepared(self._schema, key, *parsed)

    def introspection(self, text: str, operation_name: str | None, variables: Mapping[str, Any]) -> bytes | None:
        """The response to a request of introspection alone that was executed before; None if it is not in the memo."""
        prepared = self._documents.get((text, operation_name))
        if prepared is None or not prepared.only_introspects:
            return None
        return self._introspections.get(_introspection_key(prepared, variables))

    def is_plain(self, text: str, sha256: str | None) -> bool:
        """Whether nothing but the text says what a request asks for, and every token may have it executed."""
        return bool(text) and not sha256 and self.persisted.is_for_all(text)

    async def run(self, prepared: Prepared, variables: Mapping[str, Any], context: Context) -> Answer:
        """Execute a query or a mutation; raises `NotExecuted` when the variables do not fit or cost too much."""
        if prepared.only_introspects:
            answer: Answer = orjson.loads((await self._introspect(prepared, variables, context)).text)
            return answer
        return await self._execute(prepared, variables, context)

    async def _introspect(self, prepared: Prepared, variables: Mapping[str, Any], context: Context) -> ResponseText:
        key = _introspection_key(prepared, variables)
        text = self._introspections.get(key)
        if text is not None:
            return ResponseText(text=text, is_whole=True)
        response = ResponseText.of(await self._execute(prepared, variables, context))
        if response.is_whole:
            taken = len(response.text) + getsizeof(prepared.key[0]) + len(key[1])
            response = response._replace(text=compact(response.text))
            self._introspections.put((key[0], compact(key[1])), response.text, taken)
        return response

    async def _execute(self, prepared: Prepared, variables: Mapping[str, Any], context: Context) -> Answer:
        self._require_fit(prepared, variables)
        if prepared.shows_position and context.current_viewer is not None:
            with suppress(AbilityMissing):  # the field raises it
                context.latest_position = await context.service.newest_position(context.viewer)
        allowed_s = self.limits.execution_s + (CHECK_S if prepared.checks else 0)
        try:
            async with asyncio.timeout(allowed_s):
                values = self._values(prepared, variables, context)
                result: Any = execute(self._schema, prepared.document, executor_class=Executor, **values)
                return _answer(
                    result if isinstance(result, ExecutionResult) else await result, request_id=context.request_id
                )
        except TimeoutError:
            return _timed_out(allowed_s, prepared, context)

    def bind(self, prepared: Prepared, variables: Mapping[str, Any], *, at_once: bool = False) -> BoundOperation | None:
        """The operation compiled and bound to these variables; None when graphql-core has to execute or refuse it."""
        cost = prepared.cost.of(variables)
        if cost > self.limits.cost or prepared.size.of(variables) > self.limits.answer_bytes:
            return None
        compiled = prepared.compiled(self._strawberry, at_once=at_once or cost >= EXPENSIVE)
        return None if compiled is None else compiled.bind(variables)

    async def write(
        self, bound: BoundOperation | None, prepared: Prepared, variables: Mapping[str, Any], context: Context
    ) -> ResponseText:
        """Execute as `run` does, and return the response in JSON, written from rows if the operation is compiled.

        A compiled query has no time limit: it waits for its statements alone, which have deadlines of their own.
        """
        if bound is None and prepared.only_introspects:
            return await self._introspect(prepared, variables, context)
        if bound is None:
            text = None
        elif prepared.type is OperationType.QUERY:
            text = await bound.answer(context)
        else:
            try:
                async with asyncio.timeout(self.limits.execution_s):
                    text = await bound.answer(context)
            except TimeoutError:
                return ResponseText.of(_timed_out(self.limits.execution_s, prepared, context))
        if text is not None:
            return ResponseText(text=text, is_whole=True)
        return ResponseText.of(await self.run(prepared, variables, context))

    def cost_of(self, prepared: Prepared, variables: Mapping[str, Any]) -> dict[str, int]:
        """What the operation costs, and what it may cost: `extensions.cost` of a response."""
        return {"requested": prepared.cost.of(variables), "limit": self.limits.cost}

    async def listen(self, prepared: Prepared, variables: Mapping[str, Any], context: Context) -> Subscribed:
        """Execute a subscription; raises `NotExecuted` when it does not begin."""
        self._require_fit(prepared, variables)
        source: Any = create_source_event_stream(self._executor(prepared, variables, context))
        if not isinstance(source, ExecutionResult) and not hasattr(source, "__aiter__"):
            source = await source
        if isinstance(source, ExecutionResult):
            raise NotExecuted(*_answer(source, request_id=context.request_id)["errors"])
        make = partial(self._responses, prepared, variables, context)
        return Subscribed(
            source,
            make,
            selection_key(prepared, variables),
            user_id=context.viewer.user_id,
            subscriptions=self._subscriptions,
        )

    def _executor(self, prepared: Prepared, variables: Mapping[str, Any], context: Context) -> Any:
        """graphql-core's executor of an operation. A stream makes it anew for what it shows: it takes 4 kB."""
        values = self._values(prepared, variables, context)
        built: Any = Executor.build(
            self._schema,
            prepared.document,
            context_value=values["context_value"],
            raw_variable_values=values["variable_values"],
            operation_name=values["operation_name"],
        )
        if isinstance(built, list):
            raise NotExecuted(*map(formatted_failure, built))
        return built

    def _responses(
        self, prepared: Prepared, variables: Mapping[str, Any], context: Context, batch: Batch
    ) -> Responses | Coroutine[Any, Any, Responses]:
        return _responses(self._executor(prepared, variables, context), context.request_id, batch)

    def _prepare(self, key: DocumentKey, *, is_anonymous: bool) -> Prepared:
        text, operation_name = key
        if len(text.encode("utf-8", "surrogatepass")) > self.limits.document_bytes:
            raise NotExecuted(refusal(f"The document is larger than {self.limits.document_bytes} bytes.", Code.LIMIT))
        try:
            scanned = scan(text, self.limits)
            if is_anonymous and len(scanned.tokens) > MAX_ANONYMOUS_TOKENS:
                raise Unauthenticated
            document = parse_document(text, scanned)
        except GraphQLError as error:
            raise NotExecuted(formatted(error, Code.PARSE_FAILED)) from None
        except LimitExceeded as error:
            raise NotExecuted(refusal(str(error), Code.LIMIT)) from None
        except (RecursionError, UnicodeError):
            raise NotExecuted(refusal("The document is not readable.", Code.PARSE_FAILED)) from None
        operation = _operation(document, operation_name)
        if is_anonymous and not only_introspects(operation):
            raise Unauthenticated
        try:
            check_size(document, operation, self.limits)
        except LimitExceeded as error:
            raise NotExecuted(refusal(str(error), Code.LIMIT)) from None
        errors = errors_in(self._schema, document, scanned.counts, suggests=self._introspection)
        if errors:
            raise NotExecuted(*errors)
        if not self._introspection and _asks_for_schema(document):
            raise NotExecuted(refusal("This gateway does not show its schema.", Code.VALIDATION_FAILED))
        return Prepared(self._schema, key, document, operation)

    def _digest(self, key: DocumentKey, *, is_anonymous: bool) -> bytes:
        """Apart for anonymous requests, which are not to learn what is said of a document to a viewer."""
        text, operation_name = key
        named = text if operation_name is None else f"{len(operation_name)} {operation_name} {text}"
        person = b"anonymous" if is_anonymous else b""
        data = named.encode("utf-8", "surrogatepass")
        return blake2b(data, key=self._digest_key, digest_size=16, person=person).digest()

    def _require_fit(self, prepared: Prepared, variables: Mapping[str, Any]) -> None:
        wrong = variable_errors(self._schema, prepared.operation, variables, at_most=MAX_ERRORS)
        if wrong:
            raise NotExecuted(*(refusal(message, Code.BAD_USER_INPUT) for message in wrong))
        try:
            prepared.cost.require(self.limits.cost, variables)
            prepared.size.require(self.limits.answer_bytes, variables)
        except LimitExceeded as error:
            raise NotExecuted(refusal(str(error), Code.LIMIT)) from None

    @staticmethod
    def _values(prepared: Prepared, variables: Mapping[str, Any], context: Context) -> dict[str, Any]:
        name = prepared.operation.name
        return {
            "context_value": context,
            "variable_values": dict(variables),
            "operation_name": None if name is None else name.value,
        }


def _size(text: str) -> int:
    """The memory of a prepared document, at most."""
    return DOCUMENT_BYTES + BYTES_PER_CHARACTER * len(text)


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


def _introspection_key(prepared: Prepared, variables: Mapping[str, Any]) -> tuple[DocumentKey, bytes]:
    """The document and those variables that the operation declares."""
    declared = (definition.variable.name.value for definition in prepared.operation.variable_definitions or ())
    values = {name: variables[name] for name in declared if name in variables}
    return prepared.key, orjson.dumps(values, option=orjson.OPT_SORT_KEYS)


def _asks_for_schema(document: DocumentNode) -> bool:
    return any(field.name.value in ("__schema", "__type") for field in selected_fields(document))


def _timed_out(allowed_s: float, prepared: Prepared, context: Context) -> Answer:
    """The answer to an operation that was called off; a change may have been stored just before."""
    text = f"the operation took longer than {allowed_s:g} seconds"
    if prepared.type is OperationType.MUTATION and not prepared.checks:
        unknown = OutcomeUnknown(has_key=context.keyed_request is not None, because=text)
        return {"data": None, "errors": [error_of(unknown)]}
    return {"data": None, "errors": [refusal(f"{text.capitalize()}.", Code.TIMED_OUT)]}


def _answer(result: ExecutionResult, *, request_id: str | None = None) -> Answer:
    answer: Answer = {"data": result.data}
    if result.errors:
        answer["errors"] = [formatted_failure(error, request_id) for error in result.errors]
    return answer


def _responses(executor: Executor, request_id: str | None, batch: Batch) -> Responses | Coroutine[Any, Any, Responses]:
    """Execute a subscription for each event of a batch, up to one that cannot be shown.

    At once, unless something has to be looked up. What is unexpected is reported under the id of the request that began
    the stream.
    """
    events = present_batch(batch)
    results: list[Any] = [execute_subscription_event(executor.build_per_event_executor(event)) for event in events]
    ids = [event.id for event in events]
    if all(isinstance(result, ExecutionResult) for result in results):
        return _responses_of(results, ids, request_id)
    return _awaited_responses(results, ids, request_id)


async def _awaited_responses(results: Sequence[Any], ids: Sequence[str], request_id: str | None) -> Responses:
    """As `_responses_of`, of results some of which have to be awaited."""
    awaited = iter(await asyncio.gather(*(result for result in results if not isinstance(result, ExecutionResult))))
    whole = [result if isinstance(result, ExecutionResult) else next(awaited) for result in results]
    return _responses_of(whole, ids, request_id)


def _responses_of(results: Sequence[ExecutionResult], ids: Sequence[str], request_id: str | None) -> Responses:
    """The responses to events with these ids, up to one that cannot be shown."""
    texts: list[bytes] = []
    names_request = False
    for result in results:
        answer = _answer(result, request_id=request_id)
        errors = answer.get("errors", ())
        unavailable = tuple(error for error in errors if _has_code(error, Code.SERVICE_UNAVAILABLE))
        names_request = names_request or any(_has_code(error, Code.INTERNAL_SERVER_ERROR) for error in errors)
        if unavailable:
            break
        texts.append(orjson.dumps(answer))
    else:
        unavailable = ()
    return Responses(texts=tuple(texts), ids=tuple(ids[: len(texts)]), errors=unavailable, names_request=names_request)


def _has_code(error: Mapping[str, Any], code: Code) -> bool:
    return bool(error["extensions"]["code"] == code)
