"""Keeps what the act of a mutation returned, so that an operation that is executed a second time does not act again.

A compiled mutation acts first and writes its response afterwards. Where it cannot write the response, graphql-core
executes the operation from the start; the resolver then returns the result of the act that was already carried out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from schema.context import ActResult, Context


async def run_act(context: Context, act: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
    """The value of `act(context, **arguments)`, which is called only if the context has no result yet; raises as it.

    For resolvers, whose field may be one of several of its operation.
    """
    return await act(context, **arguments) if context.act_result is None else context.act_result.get()


async def run_only_act(context: Context, act: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
    """The value of the only act of a compiled mutation, or the exception it raised, returned; both stay in the context.

    An exception is returned because the compiled mutation writes refusals as problems.
    """
    try:
        context.act_result = ActResult(value=await act(context, **arguments))
    except Exception as error:  # noqa: BLE001 - the compiled mutation or graphql-core decides what the response says
        context.act_result = ActResult(error=error)
        return error
    return context.act_result.value
