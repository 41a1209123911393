"""Keeps what the act of a mutation returned, so that an operation that is executed a second time does not act again.

A compiled mutation acts first and writes its response afterwards. Where it cannot write the response, graphql-core
executes the operation from the start; the resolver then returns the result of the act that was already carried out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from strawberry.types import Info

from schema.context import ActResult, Context


async def run_act(info: Info[Context, None], act: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
    """The value of `act(context, response_name, **arguments)`, which is called only if the context has no result yet;
    raises as it.

    For resolvers, whose field may be one of several of its operation.
    """
    context = info.context
    if context.act_result is not None:
        return context.act_result.get()
    return await act(context, str(info.path.key), **arguments)


async def run_only_act(
    context: Context, act: Callable[..., Awaitable[Any]], response_name: str, **arguments: Any
) -> Any:
    """The value of the only act of a compiled mutation, or the exception it raised, returned; both stay in the context.

    An exception is returned because the compiled mutation writes refusals as problems.
    """
    try:
        context.act_result = ActResult(value=await act(context, response_name, **arguments))
    except Exception as error:  # noqa: BLE001 - the compiled mutation or graphql-core decides what the response says
        context.act_result = ActResult(error=error)
        return error
    return context.act_result.value
