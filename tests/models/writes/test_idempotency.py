"""What the models hold of an Idempotency-Key: an act and its key are there together, or neither is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from models.accounts.user import User
from models.accounts.viewer import Viewer
from models.clock import current_second
from models.database.postgresql import postgresql_behind
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.row import FIELDS, DestinationRow
from models.destinations.table import BackupDestination
from models.errors import IdempotencyKeyInUse, IdempotencyKeyReused, Unauthenticated
from models.vault.vault import Vault, generate_key
from models.writes import idempotency
from models.writes.idempotency import IdempotencyKeys, KeyedRequest
from models.writes.idempotency_key import IdempotencyKey
from tests.support.api.writes import RAW, SERVICE
from tests.support.databases.databases import ENGINES, migrated, viewer_of
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

DAY = timedelta(days=1)
DEADLINE_S = 30
OLD, NEW = generate_key(), generate_key()
AMAZON = {**RAW[DestinationKind.AMAZON_S3], Attribute.KIND: DestinationKind.AMAZON_S3, Attribute.LABEL: "First"}


class Stumbled(Exception):
    """What an act fails with."""


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A database of these tests alone."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


@pytest.fixture
async def viewer(database: Gateway) -> AsyncIterator[Viewer]:
    """A user without destinations, with the models open."""
    async with database.models():
        yield viewer_of(await User.create(email=f"{uuid4().hex}@example.com", name="Ada", created_at=current_second()))


def keys_of(ring: str, lifetime: timedelta = DAY) -> IdempotencyKeys:
    """The keys of a process with this ring."""
    return IdempotencyKeys(Vault(ring), lifetime)


async def made(viewer: Viewer) -> DestinationRow:
    """An act: a new destination."""
    return await SERVICE.create(viewer, AMAZON)


async def test_a_result_is_the_row_to_its_last_column(viewer: Viewer) -> None:
    keys = keys_of(OLD)
    first = await keys.run(viewer, KeyedRequest.of("a").act(), lambda: made(viewer))
    again = await keys.run(viewer, KeyedRequest.of("a").act(), lambda: made(viewer))

    assert first.row is not None
    assert again.row is not None
    assert {name: getattr(again.row, name) for name in FIELDS} == {name: getattr(first.row, name) for name in FIELDS}
    assert again.row.kind is DestinationKind.AMAZON_S3
    assert (first.is_replayed, again.is_replayed) == (False, True)
    assert await BackupDestination.filter(user_id=viewer.user_id).count() == 1


async def test_an_act_that_fails_leaves_neither_itself_nor_its_key(viewer: Viewer) -> None:
    async def stumble() -> None:
        await made(viewer)
        raise Stumbled

    keys, act = keys_of(OLD), KeyedRequest.of("a").act()
    with pytest.raises(Stumbled):
        await keys.run(viewer, act, stumble)

    assert await keys.find(viewer, act) is None
    assert await BackupDestination.filter(user_id=viewer.user_id).count() == 0


async def test_a_key_is_in_use_while_its_act_is_carried_out_in_this_process_and_in_others(viewer: Viewer) -> None:
    """SQLite's writers take turns: another process waits, and finds the result."""
    keys, begun, may_end = keys_of(OLD), asyncio.Event(), asyncio.Event()

    async def wait() -> DestinationRow:
        begun.set()
        await may_end.wait()
        return await made(viewer)

    first = asyncio.create_task(keys.run(viewer, KeyedRequest.of("a").act(), wait))
    await begun.wait()
    for other in (keys, keys_of(OLD)) if postgresql_behind(BackupDestination) else (keys,):
        with pytest.raises(IdempotencyKeyInUse):
            await other.run(viewer, KeyedRequest.of("a").act(), lambda: made(viewer))
    may_end.set()
    await first

    assert await BackupDestination.filter(user_id=viewer.user_id).count() == 1


async def test_a_key_is_known_across_rotations_and_never_carried_out_anew_for_a_vault_key_that_is_gone(
    viewer: Viewer,
) -> None:
    """What cannot be compared any more counts as the same request."""
    await keys_of(OLD).run(viewer, KeyedRequest.of("a", 1).act(), lambda: made(viewer))

    assert await keys_of(f"{NEW},{OLD}").find(viewer, KeyedRequest.of("a", 1).act()) is not None
    with pytest.raises(IdempotencyKeyReused):
        await keys_of(f"{NEW},{OLD}").find(viewer, KeyedRequest.of("a", 2).act())
    assert await keys_of(NEW).find(viewer, KeyedRequest.of("a", 1).act()) is not None


async def test_expired_keys_are_free_again_and_removed_in_steps(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Younger ones stay."""
    monkeypatch.setattr(idempotency, "PRUNE_STEP", 3)
    keys = keys_of(OLD)
    for number in range(5):
        await keys.run(viewer, KeyedRequest.of(f"{number}").act(), lambda: made(viewer))
    mine = IdempotencyKey.filter(user_id=viewer.user_id)
    old = [row.id for row in await mine.order_by("id").limit(4)]
    await IdempotencyKey.filter(id__in=old).update(created_at=current_second() - DAY)

    again = await keys.run(viewer, KeyedRequest.of("0").act(), lambda: made(viewer))
    steps = [await keys.prune() for _ in range(3)]

    assert not again.is_replayed
    assert steps == [3, 0, 0]
    assert await mine.count() == 2


async def test_expired_keys_are_removed_again_and_again_beside_everything_else(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step by step while there are some, and those that expire later, later."""
    monkeypatch.setattr(idempotency, "PRUNE_STEP", 2)
    monkeypatch.setattr(idempotency, "LOOK_S", 0.1)
    keys, mine = keys_of(OLD), IdempotencyKey.filter(user_id=viewer.user_id)
    pruning = asyncio.create_task(keys.prune_repeatedly())
    try:
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(2):
                for number in range(5):
                    await keys.run(viewer, KeyedRequest.of(f"{number}").act(), lambda: made(viewer))
                assert await mine.count() == 5
                await mine.update(created_at=current_second() - DAY)
                while await mine.exists():
                    pass
    finally:
        pruning.cancel()
        await asyncio.wait((pruning,))

    assert await BackupDestination.filter(user_id=viewer.user_id).count() == 10


async def test_a_user_who_is_deleted_meanwhile_is_unauthenticated(viewer: Viewer) -> None:
    """The token was looked up before: the row would have no user."""
    await User.filter(id=viewer.user_id).delete()

    for keyed in (None, KeyedRequest.of("a").act()):
        with pytest.raises(Unauthenticated):
            await SERVICE.create(viewer, AMAZON, keyed=keyed)
    assert not await BackupDestination.filter(user_id=viewer.user_id).exists()
