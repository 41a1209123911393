"""Buckets from which nothing can be deleted hold one object of the gateway's, however often they are checked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import pytest
from botocore.session import get_session

from models.accounts.viewer import Protocol, on_behalf_of
from models.checks.checks import Checks
from models.checks.report import CheckDepth
from tests.support.databases.databases import migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway
from tests.support.stores.checking import Stage, age, on_stage
from tests.support.stores.moto_store import MotoStore
from tests.support.stores.peers import MemoryStore, ReceivedRequest, answer, error, listening
from tests.support.stores.probing import prober

CHECKS = 50
HOUR = timedelta(hours=1)


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Gateway]:
    """What the store holds has nothing to do with the database."""
    with migrated("sqlite", postgres) as gateway:
        yield gateway


@pytest.fixture
async def stage(database: Gateway) -> AsyncIterator[Stage]:
    """A user on it."""
    async with on_stage(database) as stage:
        yield stage


@dataclass(slots=True)
class Hoard:
    """A store that deletes nothing; `locks` objects and keeps all their versions, or overwrites them."""

    locks: bool
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    hangs: bool = True
    versions: list[str] = field(default_factory=list)
    """The keys of all versions."""
    body: bytes = b""

    async def override(self, asked: ReceivedRequest) -> bytes | None:
        if asked.method == "PUT":
            if self.locks or asked.path not in self.versions:
                self.versions.append(asked.path)
            self.body = asked.body
            return answer("200 OK", x_amz_version_id=uuid4().hex) if self.locks else answer("200 OK")
        if asked.method == "DELETE":
            return error("403 Forbidden", "AccessDenied")
        if "prefix=" in asked.target:
            return None
        self.reading.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.locks:
            return answer("200 OK", self.body, x_amz_object_lock_mode="COMPLIANCE")
        return answer("200 OK", self.body)


async def check_often(stage: Stage, checks: Checks, id_: int) -> None:
    """By users, by the operator and by the clock, in turns."""
    itself = on_behalf_of(stage.viewer.user_id, Protocol.SCHEDULER)
    for n in range(CHECKS):
        if n % 2:
            _, report = await checks.check(stage.viewer, id_, CheckDepth.FULL)
        else:
            await age(stage.gateway, 7_200, "checked_at")
            found = await checks.recheck(id_, itself, every=HOUR if n % 4 else None)
            assert found is not None
            report = found
        assert report.takes_backups


@pytest.mark.parametrize("locks", [False, True], ids=["append-only keys", "a locked bucket"])
async def test_a_store_that_deletes_nothing_holds_one_object_after_many_checks_and_a_kill(
    locks: bool, stage: Stage
) -> None:
    """The check that is killed between WRITE and READ leaves its object; in a locked bucket as a version more."""
    hoard = Hoard(locks=locks)
    async with listening(MemoryStore(hoard.override).script) as peer:
        id_ = await stage.make(endpoint=peer.url)
        checks = stage.checks(prober(deadline_s=60))
        killed = asyncio.create_task(checks.recheck(id_, on_behalf_of(stage.viewer.user_id, Protocol.COMMAND_LINE)))
        await hoard.reading.wait()
        killed.cancel()
        await asyncio.wait({killed})
        hoard.hangs = False
        await check_often(stage, checks, id_)

    assert len(set(hoard.versions)) == 1
    assert len(hoard.versions) == (2 if locks else 1)


async def test_a_locked_bucket_of_a_real_store_holds_one_version_after_many_checks(
    stage: Stage, moto_store: MotoStore
) -> None:
    keys = moto_store.new_keys("s3:*")
    client = get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=moto_store.url,
        aws_access_key_id=keys.access_key.reveal(),
        aws_secret_access_key=keys.secret_key.reveal(),
    )
    bucket = f"locked-{uuid4().hex}"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    client.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention}
    )
    id_ = await stage.make(
        endpoint=moto_store.url,
        bucket_name=bucket,
        access_key=keys.access_key.reveal(),
        secret_key=keys.secret_key.reveal(),
    )
    await check_often(stage, stage.checks(prober(deadline_s=60)), id_)

    listed = client.list_object_versions(Bucket=bucket)
    assert len(listed.get("Versions", [])) == 1
    assert len(listed.get("DeleteMarkers", [])) <= 1


async def test_a_full_check_that_is_asked_for_writes_again_after_a_day(stage: Stage) -> None:
    hoard = Hoard(locks=True, hangs=False)
    async with listening(MemoryStore(hoard.override).script) as peer:
        id_ = await stage.make(endpoint=peer.url)
        checks = stage.checks(prober(deadline_s=60))
        for _ in range(3):
            await checks.check(stage.viewer, id_, CheckDepth.FULL)
        within = len(hoard.versions)
        await stage.gateway.rows(
            "UPDATE backup_destinations SET last_check = json_set(last_check, '$.wrote', 1723000000)"
        )
        _, report = await checks.check(stage.viewer, id_, CheckDepth.FULL)

    assert (within, len(hoard.versions)) == (1, 2)
    assert report.facts.locks_objects
