"""A numbered page and its total are of one moment, whatever is written meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from random import Random
from uuid import uuid4

import pytest

from models.accounts import accounts
from models.accounts.user import User
from models.destinations.attributes import Attribute, DestinationKind
from models.reads.reads import CountedRows, NumberedPage, Reads
from models.service import DestinationService
from models.vault.vault import Vault, generate_key
from tests.support.databases.databases import ENGINES, migrated, viewer_of
from tests.support.databases.many_rows import plant_destinations
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.services import service_of
from tests.support.gateway.gateway import Gateway

DEADLINE_S = 60.0
TOTALS, ROUNDS = 8, 30
"""So many different totals are waited for, and so many times is asked at least."""
LEAST, MOST = 20, 40


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A migrated database of each engine, which nobody serves."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


@asynccontextmanager
async def pile(database: Gateway, service: DestinationService) -> AsyncIterator[User]:
    """A user whose n-th destination is always labelled n: somebody goes on adding to the end and taking from it."""
    user = await accounts.create_user(email=f"{uuid4().hex}@example.com", name="Pile")
    ids = await plant_destinations(database, user.id, [str(number + 1) for number in range(LEAST)])
    viewer, finished = viewer_of(user), asyncio.Event()

    async def write() -> None:
        random = Random(user.id)  # noqa: S311 - anything goes
        while not finished.is_set():
            if len(ids) < MOST and (len(ids) <= LEAST or random.random() < 0.5):
                raw = {Attribute.KIND: DestinationKind.LOCAL, Attribute.LABEL: str(len(ids) + 1)}
                ids.append((await service.create(viewer, raw)).id)
            else:
                await service.delete(viewer, ids.pop())

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        try:
            yield user
        finally:
            finished.set()


def assert_of_one_moment(asked: NumberedPage, found: CountedRows | None) -> None:
    """The rows are the ones that the total says, in order, up to the newest of that moment."""
    total = LEAST if found is None else found.total
    labels = [] if found is None else [int(row.label) for row in found.rows]
    assert LEAST <= total <= MOST
    if found is not None:
        assert labels == list(range(asked.skip + 1, min(asked.skip + asked.size, total) + 1)), (asked, total)
        assert {row.user_id for row in found.rows} == {asked.user_id}
    else:
        assert asked.skip >= LEAST


async def test_a_page_and_its_total_are_of_one_moment(database: Gateway) -> None:
    """From either end of the list, of two users at once, in the middle and at the end, while both lists move."""
    async with asyncio.timeout(DEADLINE_S), database.models():
        reads = Reads()
        service = service_of(Vault(generate_key()), reads=reads)
        async with pile(database, service) as one, pile(database, service) as another:
            totals: dict[int, set[int]] = {one.id: set(), another.id: set()}
            rounds = 0
            while rounds < ROUNDS or min(map(len, totals.values())) < TOTALS:
                rounds += 1
                asked = [
                    NumberedPage(user_id, skip, size, from_end)
                    for user_id in totals
                    for skip, size in ((0, 7), (LEAST - 5, 3), (LEAST - 5, 100), (LEAST - 1, 1), (LEAST + 2, 15))
                    for from_end in (False, True)
                ]
                for key_range, found in zip(asked, await asyncio.gather(*map(reads.numbered_page, asked)), strict=True):
                    assert_of_one_moment(key_range, found)
                    totals[key_range.user_id] |= {found.total} if found is not None else set()


async def test_the_last_page_ends_with_the_newest_row_though_the_viewer_was_read_before_it(database: Gateway) -> None:
    """The page is looked for by the count of the lookup's moment, and shown with the count of its own."""
    async with asyncio.timeout(DEADLINE_S), database.models():
        service = service_of(Vault(generate_key()), reads=Reads())
        async with pile(database, service) as user:
            seen: list[int] = []
            while len(seen) < ROUNDS or len(set(seen)) < TOTALS:
                viewer = viewer_of(await User.get(id=user.id))
                number = viewer.destination_count // 7
                page = await service.page(viewer, number=number, size=7)
                labels = [int(row.label) for row in page.rows]
                if labels:
                    assert labels == list(range((number - 1) * 7 + 1, min(number * 7, page.total) + 1))
                seen.append(page.total)
