"""Compiled operations held against graphql-core: random queries through both, which must answer byte for byte alike.

`python -m tests.support.fuzz.operation_fuzz [CASES [SEED]]` does it for longer than the suite has time for.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import orjson

from schema.compiler.compiler import BoundOperation, CompiledOperation
from schema.context import Context
from schema.documents.literals import Outline, outline_of
from schema.execution.engine import Engine, NotExecuted, ResponseText
from schema.execution.prepared import Prepared
from schema.limits import Limits
from tests.support.fuzz.fuzz_stage import EMPTY, FORBIDDEN, OTHER, WATCHED, Stage, staged
from tests.support.fuzz.random_operations import Operation, OperationWriter
from tests.support.fuzz.random_values import Values

CASES_PER_DOCUMENT = 8
LONG_RUN_CASES, LONG_RUN_SEED = 200_000, 1
SHOWN = (
    *(
        '"AmazonS3Destination"',
        '"CustomS3Destination"',
        '"LocalDestination"',
        '"User"',
        '"RESOLVE"',
        "null",
        "[]",
        "{}",
        "true",
        "false",
    ),
    *(
        '"REACHABLE"',
        '"UNREACHABLE"',
        '"CHECKING"',
        '"UNKNOWN"',
        '"Amazon S3"',
        '"Custom S3"',
        '"Local"',
        "é",
        "🗄",
        '\\"',
    ),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
)
"""What must have been seen in answers."""
_BROKEN_SHARE = 0.1
_REQUEST_ID = re.compile(rb"(?<=the request id is )[0-9a-f]{16}")
Ask = Callable[[Prepared, Mapping[str, Any], Context], Awaitable[ResponseText]]


async def write(engine: Engine, prepared: Prepared, variables: Mapping[str, Any], context: Context) -> ResponseText:
    """The answer of the gateway's own way."""
    return await engine.write(engine.bind(prepared, variables), prepared, variables, context)


class Watched:
    """A compiled operation, and what it answered the last time; None when it left that to graphql-core."""

    def __init__(self, compiled: CompiledOperation) -> None:
        self._compiled = compiled
        self._bound: BoundOperation | None = None
        self.text: bytes | None = None

    def bind(self, variables: Mapping[str, Any]) -> Watched | None:
        """As the operation itself does."""
        self.text, self._bound = None, self._compiled.bind(variables)
        return None if self._bound is None else self

    async def answer(self, context: Context) -> bytes | None:
        """As the bound operation itself does."""
        assert self._bound is not None
        self.text = await self._bound.answer(context)
        return self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Variables for a document, who asks, and with which seed the rows break, if they do."""

    variables: Mapping[str, Any]
    viewer: str
    broken_seed: int | None
    is_troubled: bool
    features: frozenset[str]


@dataclass(kw_only=True, slots=True)
class Tally:
    """How often answers were compared, and how often compiled code had answered."""

    cases: int = 0
    answered: int = 0
    untroubled: int = 0
    untroubled_answered: int = 0
    broken: int = 0
    broken_answered: int = 0
    outlined: int = 0
    """Answers of operations whose literals were taken out."""
    seen: Counter[str] = field(default_factory=Counter)
    compiled: Counter[str] = field(default_factory=Counter)
    """What was in documents and variables, and how often compiled code answered that; with `SHOWN` in its answers."""

    def note(self, operation: Operation, case: Case, compiled: bytes | None) -> None:
        """Count one comparison; `compiled` is what compiled code wrote."""
        is_broken, answered = case.broken_seed is not None, compiled is not None
        is_untroubled = not (operation.is_troubled or case.is_troubled or is_broken or case.viewer == FORBIDDEN)
        self.cases += 1
        self.answered += answered
        self.untroubled += is_untroubled
        self.untroubled_answered += is_untroubled and answered
        self.broken += is_broken
        self.broken_answered += is_broken and answered
        if case.viewer == WATCHED and not is_broken:
            features = operation.features | case.features
            self.seen.update(features)
            if compiled is not None:
                self.compiled.update(features)
                self.compiled.update(each for each in SHOWN if each.encode() in compiled)


class Fuzz:
    """Holds the two ways against each other on one stage."""

    def __init__(self, stage: Stage, seed: int) -> None:
        """The same seed makes the same documents and variables."""
        self.tally = Tally()
        self._stage = stage
        self._random = Random(seed)  # noqa: S311 - to be repeated
        self._engine = Engine(Limits(aliases=100, answer_bytes=2**30))

    async def run(self, cases: int) -> Tally:
        """Compare at least so many more; raises AssertionError when two answers differ."""
        enough = self.tally.cases + cases
        while self.tally.cases < enough:
            operation = OperationWriter(self._random, self._engine._schema, self._stage.facts).operation()
            cases_of_it = [self._case(operation) for _ in range(CASES_PER_DOCUMENT)]
            for case, compiled in zip(cases_of_it, await self._compare_all(operation, cases_of_it), strict=True):
                self.tally.note(operation, case, compiled)
        return self.tally

    async def is_compiled(
        self, text: str, variables: Mapping[str, Any], name: str | None = None, *, broken_seed: int | None = None
    ) -> bool:
        """Compare the answers to one document, and say whether compiled code wrote the second."""
        operation = Operation(text=text, name=name, variables=(), features=frozenset(), is_troubled=True)
        case = Case(
            variables=variables, viewer=WATCHED, broken_seed=broken_seed, is_troubled=True, features=frozenset()
        )
        return (await self._compare_all(operation, [case]))[0] is not None

    async def _compare_all(self, operation: Operation, cases: Sequence[Case]) -> list[bytes | None]:
        """Compare the answers to one valid document, and return what compiled code wrote, if it did.

        It is compiled the second time it is asked for.
        """
        prepared = self._engine.prepare(operation.text, operation.name)
        outline = outline_of(operation.text)
        outlined = None if outline is None else self._engine._prepare_outline((outline.text, operation.name))
        await self._compare(operation, prepared, cases[0])
        compiled: Any = prepared.compiled(self._engine._strawberry)
        watched = compiled if compiled is None or isinstance(compiled, Watched) else Watched(compiled)
        prepared._compiled = watched  # type: ignore[assignment] # it answers as one does
        written: list[bytes | None] = []
        for case in cases:
            if watched is not None:
                watched.text = None
            await self._compare(operation, prepared, case)
            if outline is not None and outlined is not None:
                await self._compare_outline(operation, prepared, case, (outline, outlined))
            written.append(None if watched is None else watched.text)
        return written

    def _case(self, operation: Operation) -> Case:
        is_troubled = self._random.random() < 0.15
        values = Values(random=self._random, facts=self._stage.facts, is_troubled=is_troubled)
        variables = values.given(operation.variables)
        return Case(
            variables=variables | ({"undeclared": 1} if self._random.random() < 0.05 else {}),
            viewer=self._random.choice((WATCHED, WATCHED, WATCHED, WATCHED, OTHER, EMPTY, FORBIDDEN)),
            broken_seed=self._random.randrange(1_000) if self._random.random() < _BROKEN_SHARE else None,
            is_troubled=is_troubled,
            features=frozenset(values.features),
        )

    async def _compare(self, operation: Operation, prepared: Prepared, case: Case) -> None:
        wanted = await self._answer(prepared, case, self._by_graphql_core)
        found = await self._answer(prepared, case, partial(write, self._engine))
        assert found == wanted or _are_of_one_race(found.text, wanted.text), (
            f"\n{operation.text}\n{operation.name} of {case.viewer}, seed {case.broken_seed}"
            f"\n{orjson.dumps(case.variables).decode()}"
            f"\ngraphql-core: {wanted.text.decode()}\nwritten:      {found.text.decode()}"
        )

    async def _compare_outline(
        self, operation: Operation, prepared: Prepared, case: Case, outline: tuple[Outline, Prepared]
    ) -> None:
        """What is written without the literals counts only if it is whole; then it is the answer of the document."""
        bound = self._engine.bind(outline[1], outline[0].variables(case.variables), at_once=True)
        text = None if bound is None else await bound.answer(self._stage.context(case.viewer, case.broken_seed))
        if text is not None:
            wanted = await self._answer(prepared, case, self._by_graphql_core)
            assert ResponseText(text=text, is_whole=True) == wanted, (
                f"\n{operation.text}\n{outline[0].text}\n{wanted.text.decode()}\n{text.decode()}"
            )
            self.tally.outlined += 1

    async def _by_graphql_core(
        self, prepared: Prepared, variables: Mapping[str, Any], context: Context
    ) -> ResponseText:
        return ResponseText.of(await self._engine.run(prepared, variables, context))

    async def _answer(self, prepared: Prepared, case: Case, ask: Ask) -> ResponseText:
        """The answer, or the refusal, without what is never the same twice."""
        try:
            written = await ask(prepared, case.variables, self._stage.context(case.viewer, case.broken_seed))
        except NotExecuted as refusal:
            written = ResponseText.of(refusal.answer)
        return written._replace(text=_REQUEST_ID.sub(b"", written.text))


def _are_of_one_race(one: bytes, other: bytes) -> bool:
    """Whether two responses without data have errors of which those of one are among those of the other.

    graphql-core lets go of the fields beside one whose error leaves no data: whether their errors come is by timing.
    """
    answers = [orjson.loads(one), orjson.loads(other)]
    if any(answer.get("data", ...) is not None for answer in answers):
        return False
    fewer, more = sorted(({orjson.dumps(error) for error in answer["errors"]} for answer in answers), key=len)
    return bool(fewer) and fewer <= more


async def main(cases: int = LONG_RUN_CASES, seed: int = LONG_RUN_SEED) -> None:
    """Fuzz, and tell from time to time how far it is."""
    logging.getLogger("moorings").setLevel(logging.CRITICAL)
    async with staged() as stage:
        fuzz = Fuzz(stage, seed)
        while fuzz.tally.cases < cases:
            tally = await fuzz.run(min(5_000, cases - fuzz.tally.cases))
            print(  # noqa: T201 - this is what the command is for
                f"{tally.cases} answers alike, {tally.answered} of them written by compiled code"
                f" ({tally.untroubled_answered} of {tally.untroubled} without trouble)"
            )


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:3])))
