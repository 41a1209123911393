"""No document holds the event loop: a search for the one that does, within the limits and beyond them.

Measured is the processor time of each callback of the loop, in this process, which serves over real connections.
Garbage collection is off meanwhile: a gateway freezes what it starts with, and a process of tests has much more of it.
"""

from __future__ import annotations

import gc
import os
import time
from asyncio import events
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random

import orjson
import pytest
from graphql import GraphQLNamedType, GraphQLObjectType, get_named_type, is_composite_type, is_leaf_type

from models.checks.report import CheckCode, CheckOutcome, CheckReport, CheckStep, CheckStepName, CheckSuggestion
from schema.execution.engine import Engine, NotExecuted
from schema.limits import Limits
from schema.resolvers.definition import make_schema
from tests.hostile.operations import OPERATIONS
from tests.hostile.operations.worst import DOCUMENTS
from tests.support.databases.many_rows import plant_copies, plant_events, quoted
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.served import Served, serving
from tests.web.fast_path.test_fast_path import JSON, wire

MAX_CALLBACK_S = 0.050
MAX_REFUSAL_S = 0.010
"""Twice what the worst take on a busy machine whose Python is built without optimization."""
IS_FULL = os.environ.get("MOORINGS_FULL") == "1"
SEARCHED = 300 if IS_FULL else 25
EVERY = 1 if IS_FULL else 10
"""Every so many of the corpus."""
ATTEMPTS = 3
"""The quickest counts: on a busy machine the caches are others' too."""


WORST_REPORT = CheckReport(
    checked_at=datetime(2024, 8, 7, tzinfo=UTC),
    steps=tuple(
        CheckStep(
            name=name,
            outcome=CheckOutcome.FAILED,
            code=CheckCode.SIGNATURE_MISMATCH,
            duration_ms=12_345,
            store_code="SignatureDoesNotMatch",
            documentation="docs/stores/backblaze-b2.md",
        )
        for name in CheckStepName
    ),
    suggestion=CheckSuggestion(region="eu-central-1", endpoint="https://s3.example.com", path_style_endpoint=True),
).to_json()


_PAGE = (
    "query Q0 { backupDestinations(first: 100) { edges { cursor node "
    "{ id label ... on S3CompatibleDestination { %s } } } } }"
)
ACCEPTED = {
    name: (text, "Q0")
    for name, text in {
        "reports of a page": _PAGE % "lastCheck { checkedAt steps { name outcome code remedy durationMs } }",
        "every field of a page": _PAGE % "bucketName region createdAt updatedAt version databaseId reachability",
        "a page of events": "query Q0 { events(first: 100) { edges { cursor node { __typename id occurredAt protocol "
        "backupDestinationId tokenName ... on BackupDestinationDeleted { label } } } } }",
        "the schema": "query Q0 { __schema { types { name description fields { name description args { name type "
        "{ name ofType { name } } } type { name kind ofType { name kind ofType { name } } } } } } }",
        "a fragment at twenty roots": "query Q0 { "
        + " ".join(f'a{n}: node(id: "BackupDestination:1") {{ ...F }}' for n in range(20))
        + " } fragment F on S3CompatibleDestination { id label kindName version bucketName region reachability "
        "lastCheck { checkedAt steps { name outcome code remedy } suggestion { region endpoint } canDelete } }",
    }.items()
}
"""The most that is executed."""


@contextmanager
def longest_callback() -> Iterator[list[float]]:
    """The processor time of the longest callback of the loop, in seconds, set when the block is over."""
    longest = [0.0]
    run = events.Handle._run

    def timed(handle: events.Handle) -> None:
        began = time.thread_time()
        run(handle)
        longest[0] = max(longest[0], time.thread_time() - began)

    gc.collect()
    gc.disable()
    events.Handle._run = timed  # type: ignore[method-assign,assignment]  # for a while
    try:
        yield longest
    finally:
        events.Handle._run = run  # type: ignore[method-assign]  # as it was
        gc.enable()


class Writer:
    """Writes random documents near the limits: wide, deep, entangled, with fragments that multiply each other."""

    def __init__(self, random: Random, *, is_entangled: bool = True) -> None:
        """Documents that are not entangled have one operation, and spread a fragment once: most are executed."""
        self._random = random
        self._is_entangled = is_entangled
        self._schema = make_schema()._schema
        self._limits = Limits()

    def document(self) -> str:
        """One document."""
        random = self._random
        self._aliases = self._limits.aliases if random.random() < 0.7 else 1_000
        self._left = random.choice((20, 60, 200, 400, 790))
        self._fragments: dict[str, str] = {}
        self._names: dict[str, list[str]] = {}
        operations = random.choice((1, 1, 1, 2, 30)) if self._is_entangled else 1
        texts = []
        for number in range(operations):
            is_query = random.random() < 0.9 or not self._is_entangled
            root = self._schema.query_type if is_query else self._schema.mutation_type
            assert root is not None
            kind = "query" if root is self._schema.query_type else "mutation"
            texts.append(f"{kind} Q{number} {self._selections(root, 0)}")
        return " ".join([*texts, *self._fragments.values()])

    def _selections(self, type_: GraphQLNamedType, level: int) -> str:
        random = self._random
        parts: list[str] = []
        for _ in range(random.choice((1, 2, 3, 5, 10, 26))):
            if self._left <= 0 and parts:
                break
            chance = random.random()
            if chance < 0.25 and level < 14:
                parts.append(self._spread(type_, level))
            elif chance < 0.35 and level < 14:
                on = random.choice(self._possible(type_))
                parts.append(f"... on {on.name} {self._selections(on, level)}")
            else:
                parts.append(self._field(type_, level))
        return "{ " + " ".join(parts) + " }"

    def _possible(self, type_: GraphQLNamedType) -> Sequence[GraphQLNamedType]:
        if isinstance(type_, GraphQLObjectType):
            return [type_]
        return [type_, *self._schema.get_possible_types(type_)]  # type: ignore[arg-type]  # it is abstract

    def _spread(self, type_: GraphQLNamedType, level: int) -> str:
        known = self._names.setdefault(type_.name, [])
        if known and self._random.random() < 0.8 and self._is_entangled:
            return f"...{self._random.choice(known)}"
        name = f"F{len(self._fragments)}"
        self._fragments[name] = ""
        self._fragments[name] = f"fragment {name} on {type_.name} {self._selections(type_, level)}"
        known.append(name)  # only now: no cycles
        return f"...{name}"

    def _field(self, type_: GraphQLNamedType, level: int) -> str:
        random = self._random
        self._left -= 1
        fields = getattr(type_, "fields", {})
        names = [name for name in fields if is_leaf_type(get_named_type(fields[name].type)) or level < 14]
        if type_ is self._schema.query_type and random.random() < 0.2:
            name, named, arguments = "__schema", self._schema.type_map["__Schema"], ""
        elif not names or random.random() < 0.03:
            return random.choice(("__typename", "nothing")) if self._is_entangled else "__typename"
        else:
            name = random.choice(names)
            named = get_named_type(fields[name].type)
            arguments = self._arguments(name, fields[name].args)
        alias = ""
        if self._aliases > 0 and random.random() < 0.3:
            self._aliases -= 1
            alias = f"{'a' * random.choice((1, 1, 75))}{self._aliases}: "
        directive = " @include(if: true)" if random.random() < 0.05 else ""
        below = f" {self._selections(named, level + 1)}" if is_composite_type(named) else ""
        return f"{alias}{name}{arguments}{directive}{below}"

    def _arguments(self, name: str, arguments: object) -> str:
        random = self._random
        if name in ("backupDestinations", "events"):
            return f"(first: {random.choice((1, 10, 30, 100))})"
        if name == "nodes":
            return "(ids: [" + " ".join(random.choices(('"BackupDestination:1"', '"User:1"', '"x"'), k=20)) + "])"
        if name in ("fields", "enumValues", "args"):
            return ""
        if name == "__type":
            return '(name: "BackupDestination")'
        if not arguments:
            return ""
        return f'(id: "BackupDestination:{random.randrange(1, 5)}")'


@pytest.fixture(scope="module")
def embedded() -> Iterator[Gateway]:
    """A gateway on SQLite, whose database the application in this process serves."""
    gateway = Gateway().start()
    yield gateway
    gateway.close()


@pytest.fixture
async def crowded(embedded: Gateway) -> Account:
    """A user with a hundred destinations and events, so that pages are full."""
    account = await embedded.new_user()
    await plant_copies(account, 100)
    await plant_events(embedded, account.user_id, ["x" * 255] * 100)
    await embedded.rows(
        f"UPDATE backup_destinations SET last_check = {quoted(WORST_REPORT)}, checked_at = updated_at "  # noqa: S608 - our own values
        f"WHERE user_id = {account.user_id}"
    )
    return account


async def held(served: Served, account: Account, text: str, operation_name: str | None) -> float:
    """For how long a document holds the loop, new and asked for again, with a token and without."""
    body = orjson.dumps({"query": text, "operationName": operation_name})
    requests = [wire("POST", "/graphql", token, *JSON, body=body) for token in (account.token, account.token, "")]
    with longest_callback() as longest:
        async with served.connection() as talk:
            for request in requests:
                await talk.ask(request)
    return longest[0]


def worst_of(times: dict[str, float]) -> dict[str, str]:
    """Those that held the loop for too long."""
    return {text: f"{held_s * 1_000:.0f} ms" for text, held_s in times.items() if held_s > MAX_CALLBACK_S}


async def times_of(documents: dict[str, tuple[str, str | None]], crowded: Account) -> dict[str, float]:
    """For how long each document holds the loop, by its name."""
    found: dict[str, float] = {}
    async with serving(crowded.gateway) as served:
        for name, (text, operation_name) in documents.items():
            for attempt in range(ATTEMPTS):
                held_s = await held(served, crowded, text + "\n" * attempt, operation_name)
                found[name] = min(held_s, found.get(name, held_s))
                if held_s <= MAX_CALLBACK_S:
                    break
    return found


def corpus() -> dict[str, tuple[str, str | None]]:
    """The documents that attack, and their operations, by their names."""
    documents = {
        f"{theme}, {case.name}": (case.query, case.operation_name)
        for theme, cases in OPERATIONS.items()
        for case in cases
    }
    return documents | {name: (text, "Q0" if "query Q0" in text else None) for name, text in DOCUMENTS.items()}


async def test_no_document_of_the_corpus_holds_the_loop(crowded: Account) -> None:
    documents = corpus()
    names = [*ACCEPTED, *list(documents)[::EVERY]]

    assert worst_of(await times_of({name: (documents | ACCEPTED)[name] for name in names}, crowded)) == {}


def refusal_s(engine: Engine, text: str, operation_name: str | None) -> float | None:
    """The processor time of the first refusal of a document, in seconds; None if it is not refused."""
    best = None
    for attempt in range(ATTEMPTS):
        began = time.thread_time()
        try:
            engine.prepare(text + "\n" * attempt, operation_name)
        except NotExecuted:
            took_s = time.thread_time() - began
            best = took_s if best is None else min(best, took_s)
    return best


def test_a_document_of_the_corpus_is_refused_soon() -> None:
    """The next refusals are from memory."""
    engine, documents = Engine(Limits()), corpus()
    names = {*list(documents)[::EVERY], *DOCUMENTS}
    refusal_s(engine, "{ nothing }", None)  # what is made once

    gc.disable()
    times = {name: refusal_s(engine, *documents[name]) for name in names}
    gc.enable()

    refused = {name: took_s for name, took_s in times.items() if took_s is not None}
    assert len(refused) >= 20
    assert {name: took_s for name, took_s in refused.items() if took_s > MAX_REFUSAL_S} == {}


@pytest.mark.parametrize("seed", range(10 if IS_FULL else 1))
async def test_no_random_document_holds_the_loop(seed: int, crowded: Account) -> None:
    writer = Writer(Random(seed))  # noqa: S311 - to repeat it
    texts = [writer.document() for _ in range(SEARCHED)]

    times = await times_of({text: (text, "Q0") for text in texts}, crowded)

    assert worst_of(times) == {}
