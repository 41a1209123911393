"""Moments through the memory are those that the driver builds by itself, and go back as the same moment."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import asyncpg
import pytest

from models.bounded_cache import MOST
from models.database.timestamps import Moments, wire_form
from tests.support.databases.postgres import PostgresServer

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
ODD = (FIRST, LAST, datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC))
READ = "SELECT unnest($1::timestamptz[]) AS at"


@pytest.fixture
async def connections(postgres: PostgresServer) -> AsyncIterator[tuple[asyncpg.Connection, asyncpg.Connection]]:
    """One as the driver makes it, and one that was taught."""
    url = postgres.url("postgres")
    plain, taught = [await asyncpg.connect(url, server_settings={"timezone": "UTC"}) for _ in range(2)]
    await Moments().teach(taught)
    yield plain, taught
    await plain.close()
    await taught.close()


def moments(count: int) -> list[datetime]:
    """Moments of all times, and the odd ones."""
    chance = random.Random(20_240_807)  # noqa: S311 - to be repeated
    span_us = (LAST - FIRST) // timedelta(microseconds=1)
    return [*ODD, *(FIRST + timedelta(microseconds=chance.randrange(span_us)) for _ in range(count))]


async def test_a_moment_is_the_one_that_the_driver_builds(
    connections: tuple[asyncpg.Connection, asyncpg.Connection],
) -> None:
    """Written and read, once and again."""
    plain, taught = connections
    wanted = moments(500)

    expected = [row["at"] for row in await plain.fetch(READ, wanted[2:])]  # it takes the first two for infinite
    for _ in range(2):
        found = [row["at"] for row in await taught.fetch(READ, wanted)]
        assert found == wanted
        assert found[2:] == expected


async def test_the_ends_of_time_are_moments_too(connections: tuple[asyncpg.Connection, asyncpg.Connection]) -> None:
    """PostgreSQL's infinity is the last or the first moment there is, and what lies beyond is refused."""
    _, taught = connections

    ends = await taught.fetchrow("SELECT 'infinity'::timestamptz AS last, '-infinity'::timestamptz AS first")
    assert ends is not None
    assert (ends["first"].year, ends["last"].year) == (1, 9999)
    with pytest.raises(OverflowError):
        await taught.fetchval("SELECT '10000-01-01 00:00:00+00'::timestamptz")


async def test_a_moment_without_a_zone_is_refused(connections: tuple[asyncpg.Connection, asyncpg.Connection]) -> None:
    """It would be another moment on another machine."""
    _, taught = connections
    elsewhere = datetime(2024, 8, 7, 2, tzinfo=timezone(timedelta(hours=2)))

    assert await taught.fetchval("SELECT $1::timestamptz", elsewhere) == datetime(2024, 8, 7, tzinfo=UTC)
    with pytest.raises(asyncpg.DataError):
        await taught.fetchval("SELECT $1::timestamptz", datetime(2024, 8, 7))  # noqa: DTZ001 - that is the point


def test_the_memory_begins_anew_when_it_is_full() -> None:
    memory = Moments()
    start = datetime(2024, 8, 7, tzinfo=UTC)

    for second in range(MOST + 1):
        moment = start + timedelta(seconds=second)
        assert memory[wire_form(moment)] == moment

    assert len(memory) == 1
