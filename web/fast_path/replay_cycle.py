"""A request that was seen before, on the fast lane: what has to be asked each time is asked, and nothing else.

That is whose token it is, how often he asked, and what is kept. Where nothing is kept, the reading is asked for beside
the token instead of behind it: both wait for the database at the same time, and share its statements with more others.
What was read that way counts only when the database has the same of the token as before. The user's revision is in
that, and never falls: what was read is then no older than the request, nor than what its question asks for.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Scope

from models.errors import Refusal
from models.reads.reads import TokenRow
from web.cache.cache_key import Question
from web.cache.cached_response import OK
from web.cache.response_cache import sort_of
from web.fast_path.fast_lane import FastLane
from web.fast_path.passage import Connection, Passage
from web.fast_path.prepared_requests import Known, Reading, SeenRequest, SeenRequests


class SeenPassage(Passage):
    """One such request."""

    __slots__ = ("_memory", "_seen")

    def __init__(
        self, connection: Connection, lane: FastLane, scope: Scope, seen: SeenRequest, memory: SeenRequests
    ) -> None:
        """`seen` is what the same bytes meant before, from that memory, `scope` the same with the connection in it."""
        super().__init__(connection, lane, scope)
        self._seen = seen
        self._memory = memory
        self.body = seen.body

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask whose token it is."""
        self._loop = loop
        seen = self._seen
        token = seen.doorkeeper.look_up(seen.bearer)
        if seen.known is not None and seen.reading is not None and self._reads_beside(seen.known):
            self._work(self._read_beside(seen.reading, seen.known, token))
        else:
            token.add_done_callback(self._looked_up)

    def _reads_beside(self, known: Known) -> bool:
        """Whether it looks as if the viewer will be let in as he is known, and nothing is kept for him."""
        if self._memory.forget_write(known.viewer.user_id):
            return False
        seen = self._seen
        return not (seen.is_spent or seen.wording.condition or self._lane.cache.keeps(known.question))

    def _looked_up(self, token: asyncio.Future[TokenRow | None]) -> None:
        """Answer from what is kept, without a task, which would cost more; or read in one."""
        try:
            known = self._admit(token.result())
            kept = self._lane.cache.known(known.question)
            if kept is not None:
                self._write_kept(kept)
            elif self._seen.reading is not None:
                self._work(self._read(self._seen.reading, known))
            else:
                self._work(self._enter_as(known))
        except Refusal as refusal:
            self._work(self._refuse(refusal))
        except Exception as error:  # noqa: BLE001 - answered by the task
            self._work(_fail(error))
        except asyncio.CancelledError:  # the loop ends
            self._connection.transport.close()

    def _admit(self, token: TokenRow | None) -> Known:
        """Let in whoever asks; while the database has the same of the token, it is the same viewer and question."""
        seen = self._seen
        known, seen.known = seen.known, None
        if known is not None and known.token == token and known.token.is_valid():
            seen.doorkeeper.count(known.viewer, self._scope)
        else:
            viewer = seen.doorkeeper.admit_at_once(token, seen.bearer, self._scope)
            assert token is not None  # noqa: S101 - or nobody had been let in
            known = Known(token, viewer, Question.by(viewer, seen.wording))
        seen.known = known  # not of whoever was refused
        quota = self._scope["quota"]
        seen.is_spent = quota is not None and not quota.remaining
        return known

    async def _read_beside(self, reading: Reading, before: Known, token: asyncio.Future[TokenRow | None]) -> None:
        body, failure = None, None
        try:
            body = await reading.body(before.viewer)
        except Exception as error:  # noqa: BLE001 - for the viewer, if he is let in
            failure = error
        try:
            known = self._admit(await token)
        except Refusal as refusal:
            await self._refuse(refusal)
            return
        if known is not before:
            await self._read(reading, known)
        elif failure is not None:
            raise failure
        else:
            await self._tell(reading, known, body)

    async def _read(self, reading: Reading, known: Known) -> None:
        """Ask again what was asked before."""
        await self._tell(reading, known, await reading.body(known.viewer))

    async def _tell(self, reading: Reading, known: Known, body: bytes | None) -> None:
        """Write a success; without one, the door says what it is, and does not try the same first."""
        if body is None:
            self._scope["was_tried"] = True
            await self._enter_as(known)
            return
        seen = self._seen
        if seen.sort is None:
            seen.sort = sort_of(reading.headers, seen.wording.vary)
        self._write_kept(self._lane.cache.answer(known.question, seen.sort, body))

    def _count(self, status: int, took_s: float) -> None:
        seen, metrics = self._seen, self._lane.metrics
        if status != OK:
            metrics.note(seen.scope, status, took_s)
            return
        if seen.tally is None:
            seen.tally = metrics.tally(seen.scope, status)
        metrics.count(seen.tally, took_s)

    async def _enter_as(self, known: Known) -> None:
        self._scope["viewer"], self._scope["question"] = known.viewer, known.question
        await self._enter()
        self._seen.reading = self._scope.get("reading")  # an operation is compiled when it comes the second time

    async def _refuse(self, refusal: Refusal) -> None:
        """Let the door say it in its own words."""
        self._scope["refusal"] = refusal
        await self._enter()


async def _fail(error: Exception) -> Any:
    raise error
