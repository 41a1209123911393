"""Destinations are checked again by themselves, in their time, by one process each; claims of the dead are settled."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from app import check_scheduler as checking
from models.checks.report import Admit, CheckDepth, CheckReport, ProbeTarget
from models.clock import current_second
from tests.support.api.destinations import events_of, stored
from tests.support.databases.databases import ENGINES, TIMESTAMP, migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.in_process import running
from tests.support.graphql.graphql_client import ask, data_of
from tests.support.graphql.graphql_documents import CHECK, destination_id
from tests.support.stores.checking import DEADLINE_S, HeldProber, Stage, age, on_stage, until
from tests.support.stores.peers import MemoryStore, ReceivedRequest, listening

EVERY_S = 2
EARLIEST_S = EVERY_S * 0.9 - 1
"""Timestamps are stored in whole seconds: one may be up to a second earlier than what it stands for."""
MANY = 20
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class SeenChecks:
    """The checks that a store has seen: when each began, by bucket, and those that began during another of it."""

    begun: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    at_work: set[str] = field(default_factory=set)
    twice: list[str] = field(default_factory=list)

    async def note(self, asked: ReceivedRequest) -> None:
        """See `Override`."""
        bucket = asked.path.split("/")[1]
        if asked.method == "DELETE":
            self.at_work.discard(bucket)
        elif "list-type" in asked.target:
            self.twice += [bucket] if bucket in self.at_work else []
            self.at_work.add(bucket)
            self.begun[bucket].append(time.monotonic())


@pytest.fixture
async def gateway_with_a_clock(fresh_database_url: str | None) -> AsyncIterator[Gateway]:
    """A gateway on each database that checks every two seconds."""
    gateway = Gateway(fresh_database_url, check_interval=f"{EVERY_S}s", s3_allow="127.0.0.1").start()
    yield gateway
    gateway.close()


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A migrated database that no gateway serves."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


async def test_two_processes_check_everything_in_time_and_nothing_twice(gateway_with_a_clock: Gateway) -> None:
    """A new destination has its first turn an interval after it was made; an outcome that is the same is no news."""
    gateway, seen = gateway_with_a_clock, SeenChecks()
    account = await gateway.new_user()
    local = await account.create("local")

    async with listening(MemoryStore(seen.note).script) as peer:
        started, store = time.monotonic(), {"custom_s3_endpoint": peer.url}
        ids = [await account.create("custom_s3", s3_bucket_name=f"bucket-{n}", **store) for n in range(MANY)]
        async with running(gateway, check_interval=f"{EVERY_S}s", s3_allow=("127.0.0.1",)):
            await until(lambda: len(seen.begun) == MANY and min(map(len, seen.begun.values())) >= 2)
            # What is called off when this process ends may be begun again at once.
            turns, twice = [list(begun) for begun in seen.begun.values()], list(seen.twice)
            events = await events_of(gateway, account.user_id)

    assert twice == []
    for begun in turns:
        assert begun[0] - started > EARLIEST_S
        assert [later - earlier for earlier, later in itertools.pairwise(begun) if later - earlier < EARLIEST_S] == []
    checked = [event for event in events if event["kind"] == "checked"]
    assert sorted(event["destination_id"] for event in checked) == ids
    assert {(event["protocol"], bool(event["reachable"]), event["token_id"]) for event in checked} == {
        ("scheduler", True, None)
    }
    assert (await stored(gateway, local))["reachability"] == "unknown"


async def test_a_destination_whose_checker_was_killed_shows_again_what_was_found_before(
    gateway_with_a_clock: Gateway,
) -> None:
    """Once the claim is over; another process that looks settles it."""
    gateway, hangs, hanging = gateway_with_a_clock, False, asyncio.Event()
    account = await gateway.new_user()

    async def override(_asked: ReceivedRequest) -> None:
        if hangs:
            hanging.set()
            await asyncio.Event().wait()

    async with listening(MemoryStore(override).script) as peer:
        number = await account.create("custom_s3", custom_s3_endpoint=peer.url)
        id_ = {"id": destination_id(number)}
        await data_of(account, CHECK, id_)
        before, hangs = await stored(gateway, number), True
        asking = asyncio.create_task(ask(account, CHECK, id_))
        await asyncio.wait_for(hanging.wait(), DEADLINE_S)
        gateway.kill()
        await asyncio.wait({asking})
        assert asking.exception() is not None

        # It looks every second, and checks nothing yet.
        async with running(gateway, check_interval="20s"):
            during = await stored(gateway, number)
            assert (during["reachability"], during["last_check"]) == ("checking", before["last_check"])
            await gateway.rows(f"UPDATE backup_destinations SET claimed_until = {TIMESTAMP} WHERE id = {number}")  # noqa: S608
            async with asyncio.timeout(DEADLINE_S):
                while (await stored(gateway, number))["claim"] is not None:  # noqa: ASYNC110 - there is nothing to wait on
                    await asyncio.sleep(0.05)

    assert before["reachability"] == "reachable"
    assert await stored(gateway, number) == before


@asynccontextmanager
async def ticking(stage: Stage, prober: HeldProber, every: timedelta | None) -> AsyncIterator[None]:
    """The clock of one more process."""
    clock = asyncio.create_task(checking.run_scheduled_checks(stage.checks(prober), every))
    yield
    clock.cancel()
    await asyncio.wait({clock})


async def test_a_clock_that_is_off_checks_nothing_and_settles_all_the_same(
    database: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "LOOK_S", 0.02)
    prober = HeldProber()
    prober.release(9)
    async with on_stage(database) as stage:
        id_ = await stage.make()
        late = f"created_at = {TIMESTAMP}, claim = 'dead', claimed_until = {TIMESTAMP}, reachability = 'checking'"
        async with ticking(stage, prober, None):
            for _ in range(3):
                await database.rows(f"UPDATE backup_destinations SET {late} WHERE id = {id_}")  # noqa: S608
                async with asyncio.timeout(DEADLINE_S):
                    while (await stage.row(id_))["claim"] is not None:  # noqa: ASYNC110 - there is nothing to wait on
                        await asyncio.sleep(0.01)
        assert (prober.probed, (await stage.row(id_))["reachability"]) == ([], "unknown")

        async with ticking(stage, prober, HOUR):
            await until(lambda: len(prober.probed) == 1)


async def test_a_clock_that_is_stopped_gives_up_every_claim_before_it_ends(database: Gateway) -> None:
    """Behind it the database is closed."""
    prober = HeldProber()
    async with on_stage(database) as stage:
        for _ in range(9):
            await stage.make()
        await age(database, 7200)
        async with ticking(stage, prober, timedelta(seconds=4)):
            await until(lambda: prober.under_way == checking.SCHEDULED_AT_ONCE)

        rows = await database.rows("SELECT reachability, claim FROM backup_destinations")
    assert prober.under_way == 0
    assert [(row["reachability"], row["claim"]) for row in rows] == [("unknown", None)] * 9


async def test_destinations_that_go_wrong_in_an_unforeseen_way_keep_no_other_waiting(
    database: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """More of them than are checked at once, and in front; each is logged and free again."""
    monkeypatch.setattr(checking, "LOOK_S", 0.02)
    broken = [f"broken-{n}" for n in range(checking.SCHEDULED_AT_ONCE + 1)]

    class Mistaken(HeldProber):
        async def probe(self, target: ProbeTarget, depth: CheckDepth, admit: Admit | None = None) -> CheckReport:
            if target.bucket_name in broken:
                raise ZeroDivisionError
            return await super().probe(target, depth, admit)

    prober = Mistaken()
    prober.release(9)
    async with on_stage(database) as stage:
        for name in broken:
            await stage.make(bucket_name=name)
        await age(database, 9000, "checked_at")
        sound, timestamp = await stage.make(bucket_name="sound"), current_second() - 2 * HOUR
        await database.rows(f"UPDATE backup_destinations SET checked_at = '{timestamp}' WHERE id = {sound}")  # noqa: S608
        async with ticking(stage, prober, HOUR):
            await until(lambda: prober.probed == [("sound", CheckDepth.FULL)])
            async with asyncio.timeout(DEADLINE_S):
                while any(row["claim"] for row in await database.rows("SELECT claim FROM backup_destinations")):  # noqa: ASYNC110 - there is nothing to wait on
                    await asyncio.sleep(0.01)

    assert "ZeroDivisionError" in caplog.text
