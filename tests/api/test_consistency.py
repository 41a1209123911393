"""No answer is older than its request: two processes with caches, users who write in every way."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from models.accounts import accounts
from models.accounts.token import Token
from tests.api.test_conditional_requests import having, tagged
from tests.support import figures
from tests.support.api.consistency import Reader, insert_rows
from tests.support.api.destinations import LIST, assert_refused
from tests.support.api.ledger import SPARES, Person
from tests.support.databases.databases import ENGINES
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.keep_alive import KeepAlive
from tests.support.paths import ROOT
from tests.web.metrics.test_metrics import metrics_of, rise

OPERATING = (ROOT / "docs/operating.md").read_text()
SEED = 20_240_807
READS = figures.amount(1_500, 5_000)
"""On each database."""
PEOPLE = 6
READERS = 10
WRITES_PER_READ = 0.04


@pytest.fixture(scope="module", params=ENGINES)
def pair(request: pytest.FixtureRequest, gateways: Mapping[str, Gateway]) -> Iterator[list[Gateway]]:
    """Two processes on one database, neither of which is notified of the other's writes; the second has no cache."""
    first = gateways[request.param]
    keys = first.settings["secret_keys"]
    second = Gateway(first.database_url, secret_keys=keys, response_cache_bytes="0").start()
    yield [first, second]
    second.close()


async def new_person(gateway: Gateway) -> Person:
    """A user with the destinations the test begins with, whose labels and name say 0."""
    account = await gateway.new_user()
    await gateway.rows(f"UPDATE users SET name = '0' WHERE id = {account.user_id}")  # noqa: S608 - our own integer
    own, bulk = await account.create("local", label="0"), await account.create("local", label="0")
    await gateway.rows(insert_rows(gateway.engine, [account.user_id], SPARES))
    rows = await gateway.rows(f"SELECT id FROM backup_destinations WHERE user_id = {account.user_id} ORDER BY id")  # noqa: S608
    return Person(account=account, own=own, bulk=bulk, spares=[row["id"] for row in rows[2:]])


async def test_no_answer_is_older_than_its_request_whoever_wrote_and_however(pair: list[Gateway]) -> None:
    """REST, GraphQL by GET and by POST, conditional or not, while both APIs, single and bulk statements write."""
    people = [await new_person(pair[0]) for _ in range(PEOPLE)]
    before = [await metrics_of(gateway) for gateway in pair]
    statuses: Counter[int] = Counter()

    async def go_on(name: str) -> None:
        chance = random.Random(name)  # noqa: S311 - repeatable on purpose
        async with aclosing(Reader(pair, people, name)) as reader:
            for _ in range(READS // READERS):
                if chance.random() < WRITES_PER_READ:
                    await reader.write()
                await reader.read()
            statuses.update(reader.statuses)

    async with asyncio.TaskGroup() as tasks:
        for number in range(READERS):
            tasks.create_task(go_on(f"{SEED} {number}"))

    assert statuses.total() == READS
    assert statuses.keys() == {200, 304}
    assert statuses[304] > READS / 20
    for gateway, counted, keeps in zip(pair, before, (True, False), strict=True):
        after = await metrics_of(gateway)
        for outcome in ("hit", "miss", "not modified")[not keeps :]:  # or nothing would have been shown
            assert rise(counted, after, "moorings_cache_answers_total", outcome=outcome) > READS / 50


async def test_what_the_command_line_did_is_true_at_the_next_request_of_every_process(pair: list[Gateway]) -> None:
    """A token that was made works, one that was revoked does not, nor any of a user who is disabled."""
    account = await pair[0].new_user()

    async def run(*arguments: str) -> str:
        done = await asyncio.to_thread(pair[0].command, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    async def statuses(token: str) -> list[int]:
        """What both processes answer, twice, so that one answer at least is a kept one."""
        connections = [KeepAlive(gateway) for gateway in pair]
        answers = [await connection.ask("GET", LIST, token) for connection in connections * 2]
        for connection in connections:
            connection.close()
        return [answer.status for answer in answers]

    made = await run("token", "create", "--email", account.email)
    assert await statuses(made) == [200] * 4
    await run("token", "revoke", made.partition("|")[0])
    assert await statuses(made) == [401] * 4
    assert await statuses(account.token) == [200] * 4
    await run("user", "disable", "--email", account.email)
    assert await statuses(account.token) == [401] * 4


async def test_after_a_restore_nothing_matches_a_tag_of_the_lost_history(gateway: Gateway) -> None:
    """Not even the first write after it, which a counter would give the revision of the one that was lost."""
    account = await gateway.new_user()
    row = await account.create("local", label="Restored")
    of_user, of_row = f"FROM users WHERE id = {account.user_id}", f"WHERE id = {row}"
    async with account.client() as client:
        ((restored,),) = [each.values() for each in await gateway.rows(f"SELECT revision {of_user}")]
        await client.put(f"{LIST}/{row}", json={"label": "Lost"})
        lost = tagged(await client.get(LIST))

        await gateway.rows(f"UPDATE backup_destinations SET label = 'Restored' {of_row}")  # noqa: S608 - our own
        await set_back(gateway, account.user_id, restored)
        assert "Restored" in (await client.get(LIST, headers=having(lost))).text
        await client.put(f"{LIST}/{row}", json={"label": "Written since"})

        answer = await client.get(LIST, headers=having(lost))
        assert tagged(answer) != lost
        assert "Written since" in answer.text


async def set_back(gateway: Gateway, user_id: int, revision: int) -> None:
    """Write an earlier revision of a user past the trigger that refuses it, as a restore does."""
    change = f"UPDATE users SET revision = {revision} WHERE id = {user_id}"  # noqa: S608 - our own
    if gateway.engine == "postgresql":
        for statement in ("ALTER TABLE users DISABLE TRIGGER USER", change, "ALTER TABLE users ENABLE TRIGGER USER"):
            await gateway.rows(statement)
        return
    (refusing,) = await gateway.rows("SELECT sql FROM sqlite_master WHERE name = 'users_backwards'")
    for statement in ("DROP TRIGGER users_backwards", change, refusing["sql"]):
        await gateway.rows(statement)


@pytest.mark.parametrize("act", ["revoke", "expire", "disable"])
async def test_a_token_that_has_ended_gets_nothing_though_its_answers_are_kept(gateway: Gateway, act: str) -> None:
    """Neither the answer nor that it has not changed, from the next request on."""
    account = await gateway.new_user()
    async with account.client() as client:
        tag = tagged(await client.get(LIST))
        assert tagged(await client.get(LIST, headers=having(tag)), 304) == tag

        await end(account, act)

        for answer in [
            await client.get(LIST),
            await client.get(LIST, headers=having(tag)),
            await client.get(LIST, headers=having("*")),
        ]:
            assert_refused(answer, 401)


async def end(account: Account, act: str) -> None:
    """End the account's token."""
    token_id = int(account.token.partition("|")[0])
    async with account.gateway.models():
        match act:
            case "revoke":
                await accounts.revoke_token(token_id)
            case "disable":
                await accounts.disable_user(account.email, disabled=True)
            case _:
                await Token.filter(id=token_id).update(expires_at=datetime(2024, 8, 7, tzinfo=UTC))
