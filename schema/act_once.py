"""What an act came to, kept so that an operation that did it never does it again.

A compiled mutation acts first and writes its answer afterwards. What it cannot write, graphql-core writes: it runs the
operation as ever, and the field that would act is told the outcome instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schema.context import Context


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What the one act of an operation returned, or the exception it ended with."""

    result: Any = None
    error: Exception | None = None

    def told(self) -> Any:
        """The result; raises what the act raised."""
        if self.error is not None:
            raise self.error
        return self.result


async def once(context: Context, act: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
    """What the act comes to, or came to: for a field that may be one of several of its operation."""
    return await act(context, **arguments) if context.outcome is None else context.outcome.told()


async def first(context: Context, act: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
    """The same for the only act of its operation, noted in the context; an exception is returned."""
    try:
        context.outcome = Outcome(result=await act(context, **arguments))
    except Exception as error:  # noqa: BLE001 - whoever tells the outcome knows what to say of it
        context.outcome = Outcome(error=error)
        return error
    return context.outcome.result
