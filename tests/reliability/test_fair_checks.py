"""Checks by the clock are spread fairly over users and hosts, however many destinations one user or one host has."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from app import check_scheduler
from models.accounts import accounts
from models.accounts.viewer import Protocol
from models.checks.hosts import begin_at, forget_hosts
from models.checks.report import Admit, CheckDepth, CheckReport, Prober, ProbeTarget
from models.clock import current_second
from models.destinations.attributes import Attribute, DestinationKind
from tests.support.databases.databases import ENGINES, migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.services import viewer_of_token
from tests.support.figures import amount
from tests.support.gateway.gateway import Gateway
from tests.support.stores.checking import Stage, age, found, on_stage, until
from tests.support.stores.peers import MemoryStore, listening
from tests.support.stores.probing import Recorder, TableResolver, prober

HOUR = timedelta(hours=1)
DESTINATIONS = amount(100, 1_000)
"""Of the user who has the most; the others together have as many."""
OTHERS = amount(10, 20)
HOSTS = amount(5, 25)
WILDCARDS = amount(12, 400)


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A migrated database that no gateway serves."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


@dataclass(slots=True)
class Recording:
    """A prober that finds every store reachable, and records which it was sent to, and when."""

    begun: list[tuple[float, str, str]] = field(default_factory=list)
    """Seconds, the host, and the bucket, which is named for the user."""

    async def probe(self, target: ProbeTarget, depth: CheckDepth, admit: Admit | None = None) -> CheckReport:
        """See `Prober`."""
        host = urlsplit(target.endpoint or "").hostname or ""
        self.begun.append((time.monotonic(), host, target.bucket_name))
        await asyncio.sleep(0)
        return found(depth, reachable=True)

    @property
    def of_hosts(self) -> Counter[str]:
        return Counter(host for _, host, _ in self.begun)


async def make(stage: Stage, *endpoints: str) -> str:
    """A new user with a destination at each of these; returns the bucket's name, which stands for the user."""
    # Not through `Gateway.new_user`, which opens the models itself: they are open here, once for each process.
    user = await accounts.create_user(email=f"{uuid4().hex}@example.com", name="Test")
    token = await accounts.issue_token(user, name="test", abilities=("*",))
    viewer = await viewer_of_token(token, Protocol.GRAPHQL)
    bucket = f"of-user-{user.id}"
    for endpoint in endpoints:
        values: dict[Attribute, object] = {
            Attribute.LABEL: "Nightly",
            Attribute.KIND: DestinationKind.CUSTOM_S3,
            Attribute.ENDPOINT: endpoint,
            Attribute.BUCKET_NAME: bucket,
            Attribute.PATH_STYLE_ENDPOINT: True,
            Attribute.ACCESS_KEY: "a-key",
            Attribute.SECRET_KEY: "a-secret",
        }
        await stage.service.create(viewer, values)
    return bucket


@asynccontextmanager
async def ticking(stage: Stage, sent: Prober, per_host: int | None) -> AsyncIterator[None]:
    """The clock of two processes."""
    clocks = [
        asyncio.create_task(check_scheduler.run_scheduled_checks(stage.checks(sent), HOUR, per_host=per_host))
        for _ in range(2)
    ]
    try:
        yield
    finally:
        for clock in clocks:
            clock.cancel()
        await asyncio.wait(clocks)


async def test_a_user_with_very_many_destinations_keeps_none_of_another_user_waiting(
    database: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though all of theirs have been due for longer, at one store or at one each."""
    monkeypatch.setattr(check_scheduler, "LOOK_S", 0.02)
    recording = Recording()
    async with on_stage(database) as stage:
        many = await make(stage, *(f"http://h{n % 7}.example/{n}" for n in range(DESTINATIONS)))
        others = [await make(stage, f"http://other{n}.example") for n in range(OTHERS)]
        await age_of(database, [many], 9_000)
        await age_of(database, others, 8_000)
        async with ticking(stage, recording, None):
            await until(lambda: len(recording.begun) >= DESTINATIONS + OTHERS)

    first = [bucket for _, _, bucket in recording.begun[: 3 * OTHERS]]
    assert set(others) <= set(first)
    assert len(recording.begun) == DESTINATIONS + OTHERS


def allowed_since(started: float) -> int:
    """Checks that may have begun at one host since then, six a minute: three at once, then one each 20 s."""
    return 3 + int((time.monotonic() - started) / 20)


async def age_of(gateway: Gateway, buckets: list[str], seconds: float) -> None:
    """Set the time of the last check of these users' destinations to so long ago."""
    await age_where(gateway, "bucket_name IN ({})".format(", ".join(f"'{bucket}'" for bucket in buckets)), seconds)


async def age_where(gateway: Gateway, condition: str, seconds: float) -> None:
    """The same of all that meet a condition."""
    timestamp = current_second() - timedelta(seconds=seconds)
    await gateway.rows(f"UPDATE backup_destinations SET checked_at = '{timestamp}' WHERE {condition}")  # noqa: S608


async def test_a_host_is_knocked_at_no_more_often_than_allowed_whoever_stored_it(
    database: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whatever port and path, by two processes; meanwhile all other hosts are checked."""
    monkeypatch.setattr(check_scheduler, "LOOK_S", 0.02)
    recording, per_host = Recording(), 6
    async with on_stage(database) as stage:
        for _ in range(OTHERS):
            await make(stage, *(f"http://victim.example:{9000 + n}/p{n}" for n in range(DESTINATIONS // OTHERS)))
        await age(database, 9_000)
        for n in range(HOSTS):
            await make(stage, f"http://host{n}.example")
        await age_where(database, "endpoint NOT LIKE '%victim%'", 8_000)
        started = time.monotonic()
        async with ticking(stage, recording, per_host):
            await until(lambda: len(recording.of_hosts) == HOSTS + 1 and recording.of_hosts["victim.example"] >= 3)
            # Longer than many looks, and shorter than the time after which the next one may begin.
            await asyncio.sleep(1)

    assert 3 <= recording.of_hosts["victim.example"] <= allowed_since(started)
    assert {recording.of_hosts[f"host{n}.example"] for n in range(HOSTS)} == {1}


async def test_any_number_of_names_for_one_address_do_not_get_more_checks_to_it(
    database: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wildcard in the DNS makes a name for every check; those that had to wait are checked later, once each."""
    monkeypatch.setattr(check_scheduler, "LOOK_S", 0.02)
    victim, others = "93.184.215.14", {f"h{n}.example": f"93.184.216.{n + 1}" for n in range(HOSTS)}
    names = {f"w{n}.evil.example": victim for n in range(WILDCARDS)}
    store = MemoryStore()
    async with on_stage(database) as stage, listening(store.script) as peer:
        backend = Recorder(dict.fromkeys([victim, *others.values()], peer.port))
        resolver = TableResolver({name: [address] for name, address in (names | others).items()})
        sent = prober(resolver=resolver, backend=backend, deadline_s=30)
        await make(stage, *(f"http://{name}:{9_000 + n}" for n, name in enumerate(names)))
        await age(database, 9_000)
        await make(stage, *(f"http://{name}" for name in others))
        await age_where(database, "endpoint NOT LIKE '%evil%'", 8_000)
        due = f"checked_at IS NULL OR checked_at < '{current_second() - timedelta(seconds=7_000)}'"
        started = time.monotonic()
        async with ticking(stage, sent, 6):
            await until(lambda: {to for to, _ in backend.attempts} == {victim, *others.values()})
            while await database.rows(f"SELECT id FROM backup_destinations WHERE {due}"):  # noqa: S608, ASYNC110
                await asyncio.sleep(0.05)
        first, allowed = Counter(to for to, _ in backend.attempts), allowed_since(started)
        waiting = await database.rows("SELECT id FROM backup_destinations WHERE last_check IS NULL")
        await age_where(database, "last_check IS NULL", 9_000)
        await database.rows("DELETE FROM store_hosts")
        async with ticking(stage, sent, 2 * WILDCARDS):
            await until(lambda: Counter(to for to, _ in backend.attempts)[victim] == WILDCARDS)

    assert 3 <= first[victim] <= allowed
    assert {first[address] for address in others.values()} == {1}
    assert len(waiting) == WILDCARDS - first[victim]


@pytest.mark.parametrize("per_minute", [amount(600, 120)])
async def test_many_checks_are_spread_over_users_and_hosts(
    per_minute: int, database: Gateway, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    """All are made; of each host never more than allowed in a minute, and of each user about as many as of another."""
    monkeypatch.setattr(check_scheduler, "LOOK_S", 0.05)
    recording, each = Recording(), DESTINATIONS // OTHERS
    async with on_stage(database) as stage:
        users = [
            await make(stage, *(f"http://host{(n + user) % HOSTS}.example" for n in range(each)))
            for user in range(OTHERS)
        ]
        await age(database, 9_000)
        async with ticking(stage, recording, per_minute):
            async with asyncio.timeout(300):
                while len(recording.begun) < DESTINATIONS:  # noqa: ASYNC110 - there is nothing to wait on
                    await asyncio.sleep(0.1)

    took_s = recording.begun[-1][0] - recording.begun[0][0]
    figure(f"{len(recording.begun)} checks of {OTHERS} users at {HOSTS} hosts in {took_s:.1f} s, by two clocks")
    half = Counter(bucket for _, _, bucket in recording.begun[: DESTINATIONS // 2])
    assert set(half) == set(users)
    assert max(half.values()) <= 2 * min(half.values()) + 2
    times: dict[str, list[float]] = defaultdict(list)
    for at, host, _ in recording.begun:
        times[host].append(at)
    assert len(times) == HOSTS
    for knocks in times.values():
        assert max(sum(at <= later < at + 60 for later in knocks) for at in knocks) <= per_minute


async def test_a_host_that_was_knocked_at_is_free_after_a_time_and_forgotten_after_an_hour(database: Gateway) -> None:
    """Also where the clock was set back meanwhile."""
    async with on_stage(database):
        begun = [await begin_at("a.example", 6) for _ in range(5)]
        others = [await begin_at("b.example", 1) for _ in range(2)]
        at_once = await asyncio.gather(*(begin_at("c.example", 10) for _ in range(20)))
        await database.rows("UPDATE store_hosts SET free_at_ms = free_at_ms - 20000 WHERE host = 'a.example'")
        later = [await begin_at("a.example", 6) for _ in range(2)]
        await database.rows("UPDATE store_hosts SET free_at_ms = free_at_ms + 90000000 WHERE host = 'b.example'")
        set_back = await begin_at("b.example", 1)
        await database.rows("UPDATE store_hosts SET free_at_ms = free_at_ms - 90000000 WHERE host = 'b.example'")
        await forget_hosts()

    assert begun == [True, True, True, False, False]
    assert others == [True, False]
    assert sum(at_once) == 5
    assert later == [True, False]
    assert set_back
    rows = await database.rows("SELECT host FROM store_hosts ORDER BY host")
    assert [row["host"] for row in rows] == ["a.example", "c.example"]
