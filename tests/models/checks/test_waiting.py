"""A check that waits for another process holds no slot meanwhile, and does not wait without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from models.accounts.viewer import Protocol, on_behalf_of
from models.checks import checks as module
from models.checks import leases
from models.checks.checks import MAX_RUNNING
from models.checks.report import CheckDepth
from models.clock import current_second
from models.errors import TooManyAttempts
from tests.support.gateway.gateway import Gateway
from tests.support.stores.checking import HeldProber, Stage, on_stage, until

FULL = CheckDepth.FULL


@pytest.fixture
async def stage(gateway: Gateway) -> AsyncIterator[Stage]:
    """A user on each database; no leases are left at the end."""
    async with on_stage(gateway) as stage:
        yield stage
        await gateway.rows("UPDATE backup_destinations SET claim = NULL, claimed_until = NULL")


async def claimed(stage: Stage, id_: int, until_s: float) -> None:
    """Let another process have the destination until so many seconds from now."""
    end = current_second() + timedelta(seconds=until_s)
    change = f"claim = 'another', claimed_until = '{end}', reachability = 'checking'"
    await stage.gateway.rows(f"UPDATE backup_destinations SET {change} WHERE id = {id_}")  # noqa: S608 - a datetime


async def test_checks_that_wait_for_another_process_hold_no_slot(stage: Stage) -> None:
    """As many as may check at once wait; one more checks all the same."""
    ids, prober = [await stage.make() for _ in range(MAX_RUNNING + 1)], HeldProber()
    prober.release()
    for id_ in ids[:-1]:
        await claimed(stage, id_, 25)
    checks = stage.checks(prober)

    waiting = [asyncio.create_task(checks.check(stage.viewer, id_, FULL)) for id_ in ids[:-1]]
    await until(lambda: stage.asked == MAX_RUNNING)
    await asyncio.wait(waiting, timeout=0.3)
    _, report = await checks.check(stage.viewer, ids[-1], FULL)

    assert report.reachable
    assert not any(task.done() for task in waiting)
    await checks.aclose()
    await asyncio.wait(waiting)


async def test_a_check_that_waits_for_another_process_is_refused_in_the_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does not go on waiting in the background: the next request begins a new check."""
    monkeypatch.setattr(module, "LEASE_WAIT_S", 0.3)
    id_, prober = await stage.make(), HeldProber()
    checks = stage.checks(prober)
    await claimed(stage, id_, 25)

    with pytest.raises(TooManyAttempts):
        await checks.check(stage.viewer, id_, FULL)
    await claimed(stage, id_, -1)
    prober.release()

    assert (await checks.check(stage.viewer, id_, FULL))[1].reachable


async def test_a_lease_made_by_a_wrong_clock_expires_at_once(stage: Stage) -> None:
    """No honest one ends so much later than now: its holder's clock was put right since, or is wrong now."""
    id_, prober = await stage.make(), HeldProber()
    prober.release(2)
    checks, itself = stage.checks(prober), on_behalf_of(stage.viewer.user_id, Protocol.SCHEDULER)

    await claimed(stage, id_, 3600)
    assert await checks.recheck(id_, itself) is not None
    await claimed(stage, id_, 3600)
    await leases.release_expired()
    settled = await stage.row(id_)
    await claimed(stage, id_, 40)
    await leases.release_expired()

    assert (settled["claim"], settled["reachability"]) == (None, "reachable")
    assert (await stage.row(id_))["claim"] == "another"
    assert await checks.recheck(id_, itself) is None
