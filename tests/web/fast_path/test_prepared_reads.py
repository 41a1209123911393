"""What a remembered request is read with: tried no more often than otherwise, kept no longer than by the engine."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from models.errors import DatabaseUnavailable
from rest.prepared_reads import Listing
from schema.transport.http import GraphQLView
from schema.transport.prepared_query import Reading
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.two_ways import Both, both_ways
from tests.web.fast_path.test_fast_lane import LIST, QUERY, graphql, wire
from tests.web.fast_path.test_prepared_requests import remembered


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    account = await gateway.new_user()
    await account.create("local")
    return account


@pytest.fixture
async def both(gateway: Gateway, account: Account) -> AsyncIterator[Both]:
    """Without a cache, so that everything is read."""
    async with both_ways(gateway, response_cache_bytes=0) as both:
        yield both


def reading_of(both: Both, asked: bytes) -> Any:
    """What a request is remembered with."""
    seen = remembered(both.app).find(asked)
    assert seen is not None
    return seen.reading


@pytest.mark.parametrize("door", ["rest", "graphql"])
async def test_a_read_that_fails_is_tried_as_often_as_on_the_usual_way(
    both: Both, account: Account, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is overloaded must not be asked more often for it."""
    listed = wire("GET", LIST, account.token)
    asked = listed if door == "rest" else graphql(account.token, QUERY)
    for each in (listed, listed, asked, asked, asked):
        await both.lane.ask(each)
    reads = reading_of(both, listed)._service._reads
    tried = 0

    async def fail(_: object) -> dict[Any, Any]:
        nonlocal tried
        tried += 1
        raise DatabaseUnavailable

    for batched in (reads._beginnings, reads._spans):
        monkeypatch.setattr(batched, "_fetch", fail)
    expected, usual_times = await both.usual.ask(asked), tried
    tried = 0

    assert reading_of(both, asked) is not None
    assert await both.lane.ask(asked) == expected
    assert tried == usual_times


async def test_an_operation_that_the_engine_gives_up_is_not_kept_by_who_asked(both: Both, account: Account) -> None:
    """It is found out anew."""
    asked = graphql(account.token, QUERY)
    answers = [await both.lane.ask(asked) for _ in range(3)]
    reading = reading_of(both, asked)
    assert isinstance(reading, Reading)
    assert reading._bound._compiled() is not None
    apps = {getattr(route, "app", None) for route in both.app.routes}
    (view,) = (app for app in apps if isinstance(app, GraphQLView))

    view.engine._kept.clear()
    gc.collect()

    assert reading._bound._compiled() is None
    answers += [await both.lane.ask(asked) for _ in range(4)]
    assert answers == answers[:1] * 7
    assert isinstance(reading_of(both, asked), Reading)


async def test_a_page_and_a_row_are_read_by_what_the_door_made_of_them(both: Both, account: Account) -> None:
    """So that the door is not asked again."""
    listed = wire("GET", LIST, account.token)
    for _ in range(2):
        await both.lane.ask(listed)

    assert isinstance(reading_of(both, listed), Listing)
