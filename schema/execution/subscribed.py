"""The responses of an open subscription, one batch of events after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from schema.errors import Code, error_of, refusal
from schema.execution.not_executed import NotExecuted
from schema.execution.shared_responses import Batch, MakeResponses, Responses, SelectionKey, shared_responses


class Subscriptions:
    """How many subscriptions of each user are open in this process."""

    def __init__(self, most: int) -> None:
        """`most` is how many of one user may be."""
        self._most = most
        self._open: Counter[int] = Counter()

    def open(self, user_id: int) -> None:
        """Count one more; raises `NotExecuted` if it is one too many."""
        if self._open[user_id] >= self._most:
            message = f"At most {self._most} subscriptions of one user may be open."
            raise NotExecuted(refusal(message, Code.LIMIT))
        self._open[user_id] += 1

    def close(self, user_id: int) -> None:
        """Count one less."""
        self._open[user_id] -= 1
        if not self._open[user_id]:
            del self._open[user_id]


class Subscribed(AsyncIterator[Responses]):
    """The responses of one subscription, which counts as one of its user's until it is closed.

    Raises `NotExecuted` if it is one too many, and before an event that cannot be shown while the database is away. No
    generator: see `EventBatches`.
    """

    __slots__ = ("_errors", "_is_open", "_make", "_selection", "_source", "_subscriptions", "_user_id")

    def __init__(
        self,
        source: Any,
        make: MakeResponses,
        selection: SelectionKey,
        *,
        user_id: int,
        subscriptions: Subscriptions,
    ) -> None:
        """`source` has the batches, and is closed with the subscription; `make` the responses to one."""
        self._source = source
        self._make = make
        self._selection = selection
        self._user_id = user_id
        self._subscriptions = subscriptions
        self._is_open = False
        self._errors: tuple[dict[str, Any], ...] = ()

    async def __anext__(self) -> Responses:
        if not self._is_open:
            self._subscriptions.open(self._user_id)
            self._is_open = True
        while not self._errors:
            try:
                batch: Batch = await anext(self._source)
            except StopAsyncIteration:
                raise
            except Exception as error:  # noqa: BLE001 - a source is a resolver too, and no other error of one reaches a caller
                raise NotExecuted(error_of(error)) from None
            responses = await shared_responses(batch, self._selection, self._make)
            self._errors = responses.errors
            if responses.texts:
                return responses
            del batch, responses
        raise NotExecuted(*self._errors)  # before the event, so that the client resumes with it: null would mean "gone"

    async def aclose(self) -> None:
        """Count no more, and close the source."""
        if self._is_open:
            self._is_open = False
            self._subscriptions.close(self._user_id)
        await self._source.aclose()
