"""Whether tokens of another application were imported is looked up when one is presented, and seldom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from secrets import token_hex

import pytest

from models.accounts.bearer import Bearer, digest_of
from models.accounts.token import Token
from models.accounts.user import User
from models.clock import current_second
from models.errors import Unauthenticated
from models.reads.reads import IMPORTED_TOKENS_LOOK_S, Reads
from tests.support.databases.databases import ENGINES, migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

AT_ONCE, TIMES = 50, 40
DEADLINE_S = 30


class CountedReads(Reads):
    """The reads of a process, with the number of its looks."""

    looks = 0

    async def find_imported_tokens(self) -> None:
        """Count and look."""
        self.looks += 1
        await super().find_imported_tokens()


def foreign(secret: str) -> Bearer:
    """A token of another application, as a client presents it."""
    return Bearer(token_id=None, digest=digest_of(secret), is_foreign=True)


async def present(reads: Reads, bearer: Bearer) -> int | None:
    """The id of the token as the authenticator finds it; None when it is refused."""
    if not reads.may_be_imported():
        return None
    try:
        row = await reads.token_of(bearer)
    except Unauthenticated:
        return None
    return None if row is None else row.id


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A migrated database of each engine, which nobody serves."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


async def test_junk_causes_a_look_now_and_then_and_the_first_imported_token_is_found(database: Gateway) -> None:
    async with database.models():
        reads, secret = CountedReads(), token_hex(24)
        await reads.find_imported_tokens()
        began = time.monotonic()
        for _ in range(TIMES):
            junk = [foreign(token_hex(24)) for _ in range(AT_ONCE)]
            assert set(await asyncio.gather(*(present(reads, each) for each in junk))) == {None}
        assert reads.looks <= 2 + (time.monotonic() - began) / IMPORTED_TOKENS_LOOK_S
        assert reads.counts()["token"] == (0, 0)

        user = await User.create(email="ada@example.com", name="Ada", created_at=current_second())
        made = await Token.create(
            user_id=user.id,
            name="phone",
            digest=digest_of(secret),
            abilities="*",
            created_at=current_second(),
            imported_id=7,
        )
        deadline, found = time.monotonic() + DEADLINE_S, None
        while found is None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
            found = await present(reads, foreign(secret))
        everyone = await asyncio.gather(*(present(reads, foreign(secret)) for _ in range(AT_ONCE)))
        assert {found, *everyone} == {made.id}
        looks = reads.looks
        assert [await present(reads, foreign(token_hex(24))), reads.looks] == [None, looks]
