"""Compiled mutations held against graphql-core: each is done in both ways on the same rows, and undone again.

What is answered must be alike byte for byte, and so must be what is stored; a mutation that acts twice is found out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from random import Random
from typing import Any

from tortoise.transactions import in_transaction

from models.destinations.table import BackupDestination
from models.events.event import Event
from schema.execution.engine import Engine, NotExecuted, ResponseText
from schema.execution.prepared import Prepared
from schema.limits import Limits
from tests.support.fuzz.fuzz_stage import FORBIDDEN, OTHER, WATCHED, Stage
from tests.support.fuzz.operation_fuzz import Watched, write
from tests.support.fuzz.random_mutations import MutationWriter

CASES_PER_DOCUMENT = 5
_UNREPEATABLE = re.compile(rb"\b[0-9]{5,10}\b")
"""A version: by chance. No other number of an answer has so many digits."""
_REQUEST_ID = re.compile(rb"(?<=the request id is )[0-9a-f]{16}")
_NEVER_THE_SAME = {"uid", "version", "access_key", "secret_key"}
Come = tuple[bytes, list[dict[str, Any]], list[dict[str, Any]]]
"""An answer, the destinations and the events after it."""


class _Undone(Exception):
    """Ends a transaction that is not to be kept."""


class MutationFuzz:
    """Holds the two ways against each other on one stage."""

    def __init__(self, stage: Stage, seed: int) -> None:
        """The same seed makes the same documents and variables."""
        self.seen: Counter[str] = Counter()
        self.compiled: Counter[str] = Counter()
        self.cases = self.answered = self.untroubled = self.untroubled_answered = 0
        self._stage = stage
        self._random = Random(seed)  # noqa: S311 - to be repeated
        self._engine = Engine(Limits(aliases=100))

    async def run(self, cases: int) -> None:
        """Compare so many; raises AssertionError when two answers, or what they left behind, differ."""
        while self.cases < cases:
            writer = MutationWriter(self._random, self._engine._schema, self._stage.facts)
            operation = writer.operation()
            for _ in range(CASES_PER_DOCUMENT):
                variables, is_wrong = writer.given()
                viewer = self._random.choice((WATCHED, WATCHED, WATCHED, OTHER, FORBIDDEN))
                answer = await self.answer_of(operation.text, variables, viewer)
                untroubled = not (operation.is_troubled or is_wrong or viewer == FORBIDDEN)
                self.cases += 1
                self.answered += answer is not None
                self.untroubled += untroubled
                self.untroubled_answered += untroubled and answer is not None
                self.seen.update(operation.features)
                if answer is not None:
                    self.compiled.update(operation.features)
                    self.compiled.update(re.findall(r'"(\w+(?:Payload|Problem|Destination))"', answer.decode()))

    async def answer_of(self, text: str, variables: Mapping[str, Any], viewer: str = WATCHED) -> bytes | None:
        """Compare the answers to one document, and return what compiled code wrote, if it did."""
        prepared = self._engine.prepare(text, None)
        compiled: Any = prepared.compiled(self._engine._strawberry) or prepared.compiled(self._engine._strawberry)
        watched = compiled if compiled is None or isinstance(compiled, Watched) else Watched(compiled)
        prepared._compiled = watched  # type: ignore[assignment] # it answers as one does
        found = wanted = None
        for _ in range(2):  # a second may have passed between the two
            wanted = await self._come(prepared, variables, viewer, self._by_graphql_core)
            if watched is not None:
                watched.text = None
            found = await self._come(prepared, variables, viewer, partial(write, self._engine))
            if found == wanted:
                break
        assert found == wanted, f"\n{text}\n{variables}\ngraphql-core: {wanted}\nwritten:      {found}"
        return None if watched is None else watched.text

    async def _by_graphql_core(self, prepared: Prepared, variables: Mapping[str, Any], context: Any) -> ResponseText:
        return ResponseText.of(await self._engine.run(prepared, variables, context))

    async def _come(
        self, prepared: Prepared, variables: Mapping[str, Any], viewer: str, ask: Callable[..., Awaitable[ResponseText]]
    ) -> Come | None:
        come = None
        try:
            async with in_transaction():
                try:
                    written = await ask(prepared, variables, self._stage.context(viewer, None))
                except NotExecuted as refusal:
                    written = ResponseText.of(refusal.answer)
                rows = await BackupDestination.all().order_by("id").values()
                kept = [{name: row[name] for name in row.keys() - _NEVER_THE_SAME} for row in rows]
                events = await Event.all().order_by("id").values()
                shown = _UNREPEATABLE.sub(b"", _REQUEST_ID.sub(b"", written.text))
                come = shown, kept, [event | {"id": None} for event in events]
                raise _Undone
        except _Undone:
            return come
