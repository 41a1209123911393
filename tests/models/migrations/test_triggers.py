"""`destination_count` is the count and `revision` grows with every change, whoever writes and by whatever statement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from models.accounts.user import User
from tests.support.api.writes import OWN, REFUSED, WRITES, Ids, execute, rows_for
from tests.support.databases.databases import ENGINES, insert, migrated, user
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

Choice = tuple[str, int, int]
"""The name of a write and the numbers it chooses with."""

SEPARATELY, TOGETHER, UNDONE = "each in a transaction of its own", "in one transaction", "in one that is rolled back"


class _Undo(Exception):
    """Ends a transaction that is to be rolled back."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the row of a user says of it, and what is there."""

    revision: tuple[int, int]
    """Of all that is shown, and of the last checks."""
    said: int
    counted: int
    content: tuple[Any, ...]


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A database of each engine for these tests alone."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


@pytest.fixture(scope="module")
async def engine(database: Gateway) -> AsyncIterator[str]:
    """Which engine the models are open on."""
    async with database.models():
        yield database.engine


async def seed() -> None:
    """Three users of whom two have destinations and events, and nothing else."""
    await execute("DELETE FROM users")
    for name in ("ada", "bob", "eve"):
        await execute(insert("users", user(name)))
    await execute(rows_for("name IN ('ada', 'bob')", copies=3))
    columns = "user_id, kind, label, destination_id, protocol, occurred_at"
    await execute(
        f"INSERT INTO events ({columns}) "  # noqa: S608 - our own names
        "SELECT user_id, 'created', label, id, 'rest', created_at FROM backup_destinations"
    )


async def standings() -> dict[int, Standing]:
    """How every user stands."""
    ask = User._meta.db.execute_query_dict
    rows = [await ask(f"SELECT * FROM {table} ORDER BY id") for table in ("backup_destinations", "events")]  # noqa: S608
    destinations, events = (
        {id_: [row for row in of_all if row["user_id"] == id_] for id_ in {row["user_id"] for row in of_all}}
        for of_all in rows
    )
    return {
        row["id"]: Standing(
            revision=(row["revision"], row["checks_revision"]),
            said=row["destination_count"],
            counted=len(destinations.get(row["id"], [])),
            content=(row["name"], row["email"], destinations.get(row["id"]), events.get(row["id"])),
        )
        for row in await ask("SELECT * FROM users ORDER BY id")
    }


def wrongs(before: dict[int, Standing], after: dict[int, Standing]) -> list[str]:
    """What is not as promised."""
    found = [
        f"user {id_} has {now.counted}, it says {now.said}" for id_, now in after.items() if now.said != now.counted
    ]
    for id_ in before.keys() & after.keys():
        old, new = before[id_], after[id_]
        if min(now - then for now, then in zip(new.revision, old.revision, strict=True)) < 0:
            found.append(f"the revision of user {id_} fell from {old.revision} to {new.revision}")
        if new.revision == old.revision and new.content != old.content:
            found.append(f"the revision of user {id_} is {new.revision} still, and something changed")
    return found


async def write(engine: str, choice: Choice) -> None:
    """One write; the database may refuse those that it must."""
    name, n, m = choice
    ask = User._meta.db.execute_query_dict
    while not (users := [row["id"] for row in await ask("SELECT id FROM users ORDER BY id")]):
        await execute(insert("users", user("another")))
    rows = await ask("SELECT id, user_id FROM backup_destinations ORDER BY id")
    destinations = [(row["id"], row["user_id"]) for row in rows]
    refusable = REFUSED[engine]
    with suppress(IntegrityError) if name in refusable else nullcontext():
        async with in_transaction():
            await {**WRITES, **OWN[engine], **refusable}[name](Ids(users, destinations, n, m))


async def play(engine: str, choices: Sequence[Choice], manner: str) -> None:
    """Several writes, in one of three manners."""
    if manner == SEPARATELY:
        for choice in choices:
            await write(engine, choice)
        return
    with suppress(_Undo):
        async with in_transaction():
            for choice in choices:
                await write(engine, choice)
            if manner == UNDONE:
                raise _Undo


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_of_any_kind_keeps_the_count_and_raises_the_revision(name: str, engine: str) -> None:
    """Those it touches and no less; and the mix below does mix what changes something."""
    changed = False
    for n in range(3):
        await seed()
        before = await standings()
        await write(engine, (name, n, 1))
        after = await standings()

        assert not wrongs(before, after)
        changed |= before != after
    assert changed != name.endswith(" none")


async def test_a_write_that_only_one_engine_takes_keeps_the_count_and_raises_the_revision(engine: str) -> None:
    """PostgreSQL's own statements go past row triggers, so its triggers are those of statements."""
    for name in OWN[engine]:
        await seed()
        before = await standings()
        await write(engine, (name, 0, 1))
        after = await standings()

        assert not wrongs(before, after), name
        assert before != after, name


async def test_a_write_that_triggers_cannot_follow_is_refused(engine: str) -> None:
    """SQLite's REPLACE removes a row unseen, and a whole stale row would write an old count and revision."""
    for name in REFUSED[engine]:
        await seed()
        before = await standings()
        await write(engine, (name, 0, 1))

        assert await standings() == before, name


async def test_the_revision_of_a_user_does_not_move_for_the_changes_of_another(engine: str) -> None:
    """Otherwise every cached answer of every user would go with each change of one."""
    await seed()
    before = await standings()
    bystander = list(before)[1]
    for name in ("create through the service", "rename a user", "move a user's mail", "add an event", "insert several"):
        await write(engine, (name, 0, 0))

    assert (await standings())[bystander] == before[bystander]


NUMBERS = st.integers(0, 11)
CHOICES = st.lists(st.tuples(st.integers(0, 99), NUMBERS, NUMBERS), min_size=1, max_size=2)
MANNERS = st.sampled_from([SEPARATELY, TOGETHER, UNDONE])


@given(mix=st.lists(st.tuples(CHOICES, MANNERS), min_size=12, max_size=15))
@settings(derandomize=True, database=None, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
async def test_after_any_mix_of_writes_the_count_is_right_and_no_change_went_unseen(
    engine: str, mix: list[tuple[list[tuple[int, int, int]], str]]
) -> None:
    """Checked after every step of every mix."""
    names = [*WRITES, *OWN[engine], *REFUSED[engine]]
    await seed()
    before = await standings()
    for numbered, manner in mix:
        choices = [(names[number % len(names)], n, m) for number, n, m in numbered]
        await play(engine, choices, manner)
        after = await standings()

        assert not wrongs(before, after), (choices, manner)
        assert before == after or manner != UNDONE, choices
        before = after


async def test_no_revision_is_given_twice_by_two_histories(database: Gateway, engine: str) -> None:
    """Set back to an earlier state, as by a restore, a user gets another revision for another change."""
    await seed()
    (before, *_), revisions = (await standings()).values(), list[int]()
    shown = before.revision[0]
    for name in ("lost", "kept"):
        await set_back(engine, shown)
        await execute(f"UPDATE users SET name = '{name}' WHERE email = 'ada@example.com'")  # noqa: S608 - our own
        revisions.append((await User.get(email="ada@example.com")).revision)
    await execute("DELETE FROM users")
    await execute(insert("users", user("ada")))
    first = (await User.get(email="ada@example.com")).revision

    assert len({shown, *revisions, first}) == 4
    assert min(revisions) > shown
    assert min(*revisions, first) > 2**60


async def set_back(engine: str, revision: int) -> None:
    """Write an earlier revision past the trigger that refuses it."""
    statement = f"UPDATE users SET revision = {revision} WHERE email = 'ada@example.com'"  # noqa: S608 - our own
    if engine == "postgresql":
        await execute("ALTER TABLE users DISABLE TRIGGER USER")
        await execute(statement)
        await execute("ALTER TABLE users ENABLE TRIGGER USER")
        return
    (refusing,) = await User._meta.db.execute_query_dict("SELECT sql FROM sqlite_master WHERE name = 'users_backwards'")
    await execute("DROP TRIGGER users_backwards")
    await execute(statement)
    await execute(refusing["sql"])
