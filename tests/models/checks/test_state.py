"""Which checks are made, shared and stored: one at a time per destination, whatever happens to it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from models.accounts.viewer import Protocol, on_behalf_of
from models.checks import checks as module
from models.checks.checks import MAX_RUNNING
from models.checks.report import CheckDepth, CheckReport
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.validation import Raw
from models.errors import DestinationNotCheckable, DestinationNotFound, TooManyAttempts
from tests.support.databases.databases import TIMESTAMP
from tests.support.gateway.gateway import Gateway
from tests.support.stores.checking import DEADLINE_S, HeldProber, Stage, on_stage, until

FULL, READ_ONLY = CheckDepth.FULL, CheckDepth.READ_ONLY
KEYS: Raw = {Attribute.ACCESS_KEY: "b-key", Attribute.SECRET_KEY: "b-secret"}
CHANGES: Mapping[str, Raw] = {
    "endpoint": {Attribute.ENDPOINT: "https://s3.example.org", **KEYS},
    "credentials": KEYS,
    "bucket": {Attribute.BUCKET_NAME: "weekly"},
    "region": {Attribute.REGION: "eu-west-1"},
    "path style": {Attribute.PATH_STYLE_ENDPOINT: False},
    "kind": {Attribute.KIND: DestinationKind.AMAZON_S3, Attribute.REGION: "eu-west-1", **KEYS},
}
"""Changes after which what was found is not true any more."""


@pytest.fixture
async def stage(gateway: Gateway) -> AsyncIterator[Stage]:
    """A user on each database."""
    async with on_stage(gateway) as stage:
        yield stage


async def test_twenty_who_ask_at_once_share_one_probe(stage: Stage) -> None:
    id_, prober = await stage.make(), HeldProber()
    checks = stage.checks(prober)

    asking = [asyncio.create_task(checks.check(stage.viewer, id_, FULL)) for _ in range(20)]
    await until(lambda: stage.asked == 20 and prober.under_way == 1)
    assert (await stage.row(id_))["reachability"] == "checking"
    prober.release()
    answers = await asyncio.gather(*asking)

    assert prober.probed == [("nightly", FULL)]
    (report,) = {report.to_json() for _, report in answers}
    row = await stage.row(id_)
    assert (row["reachability"], row["last_check"]) == ("reachable", report)
    assert (row["claim"], row["claimed_until"]) == (None, None)
    assert {(seen.reachability, seen.last_check) for seen, _ in answers} == {("reachable", report)}
    assert await stage.checked() == [("graphql", True)]


async def test_a_deeper_check_runs_behind_a_shallow_one_and_answers_for_it_too(stage: Stage) -> None:
    id_, prober = await stage.make(), HeldProber()
    checks = stage.checks(prober)

    first = asyncio.create_task(checks.check(stage.viewer, id_, READ_ONLY))
    await until(lambda: prober.under_way == 1)
    others = [asyncio.create_task(checks.check(stage.viewer, id_, depth)) for depth in (FULL, READ_ONLY)]
    await until(lambda: stage.asked == 3)
    prober.release()
    await first
    await until(lambda: len(prober.probed) == 2)
    late = asyncio.create_task(checks.check(stage.viewer, id_, READ_ONLY))
    await until(lambda: stage.asked == 4)
    prober.release()
    await asyncio.gather(*others, late)

    assert [depth for _, depth in prober.probed] == [READ_ONLY, FULL]
    assert prober.most_at_once == 1


async def test_another_process_waits_for_the_check_under_way_and_answers_what_it_found(stage: Stage) -> None:
    id_, prober = await stage.make(), HeldProber(reachable=False)
    first = asyncio.create_task(stage.checks(prober).check(stage.viewer, id_, FULL))
    await until(lambda: prober.under_way == 1)

    second = asyncio.create_task(stage.checks(prober).check(stage.viewer, id_, FULL))
    await until(lambda: stage.asked == 2)
    waited, _ = await asyncio.wait({second}, timeout=0.6)
    by_the_clock = await stage.checks(prober).recheck(id_, on_behalf_of(stage.viewer.user_id, Protocol.SCHEDULER))
    prober.release()
    (_, reported), (_, shared) = await asyncio.gather(first, second)

    assert not waited
    assert by_the_clock is None
    assert reported == shared
    assert prober.probed == [("nightly", FULL)]
    assert await stage.checked() == [("graphql", False)]


async def test_another_process_checks_again_when_the_one_under_way_is_not_so_deep_or_finds_nothing(
    stage: Stage,
) -> None:
    """A report stored before the request is not its response."""
    id_, prober, other = await stage.make(), HeldProber(), HeldProber(reachable=False)
    prober.release()
    await stage.checks(prober).check(stage.viewer, id_, FULL)
    for leave in ("shallow", "called off"):
        await stage.gateway.rows(f"UPDATE backup_destinations SET checked_at = {TIMESTAMP} WHERE id = {id_}")  # noqa: S608
        dying = stage.checks(prober)
        first = asyncio.create_task(dying.check(stage.viewer, id_, READ_ONLY))
        await until(lambda: prober.under_way == 1)
        second = asyncio.create_task(stage.checks(other).check(stage.viewer, id_, FULL))
        await asyncio.wait({second}, timeout=0.6)

        if leave == "shallow":
            prober.release()
        else:
            await dying.aclose()
        await asyncio.wait({first})
        await until(lambda: other.under_way == 1)
        other.release()

        assert not (await second)[1].reachable


@pytest.mark.parametrize("change", CHANGES)
async def test_a_check_of_what_has_changed_meanwhile_is_reported_and_not_stored(stage: Stage, change: str) -> None:
    """And the destination is as if it had never been checked; so it is when it changes afterwards."""
    id_, prober = await stage.make(), HeldProber()
    checks = stage.checks(prober)

    for when in ("before", "meanwhile", "afterwards"):
        asking = asyncio.create_task(checks.check(stage.viewer, id_, FULL))
        await until(lambda: prober.under_way == 1)
        if when == "meanwhile":
            await stage.service.update(stage.viewer, id_, CHANGES[change])
        prober.release()
        seen, report = await asking
        assert report.reachable
        assert (seen.last_check is None) == (when == "meanwhile")
        if when == "afterwards":
            undone = {Attribute.KIND: DestinationKind.CUSTOM_S3, Attribute.ENDPOINT: "https://s3.example.net", **KEYS}
            await stage.service.update(stage.viewer, id_, undone)
        if when != "before":
            row = await stage.row(id_)
            assert row["reachability"] == "unknown"
            assert {row[name] for name in ("last_check", "checked_at", "claim", "claimed_until")} == {None}

    assert len(await stage.checked()) == 2


async def test_another_label_changes_nothing_about_a_check(stage: Stage) -> None:
    id_, prober = await stage.make(), HeldProber()
    asking = asyncio.create_task(stage.checks(prober).check(stage.viewer, id_, FULL))
    await until(lambda: prober.under_way == 1)

    await stage.service.update(stage.viewer, id_, {Attribute.LABEL: "Weekly"})
    prober.release()
    row, report = await asking
    await stage.service.update(stage.viewer, id_, {Attribute.LABEL: "Monthly"})

    assert (row.label, row.reachability, row.last_check) == ("Weekly", "reachable", report.to_json())
    assert (await stage.row(id_))["last_check"] == report.to_json()


async def test_a_destination_that_becomes_a_directory_meanwhile_has_nothing_to_check(stage: Stage) -> None:
    id_, prober = await stage.make(), HeldProber()
    asking = asyncio.create_task(stage.checks(prober).check(stage.viewer, id_, FULL))
    await until(lambda: prober.under_way == 1)

    await stage.service.update(stage.viewer, id_, {Attribute.KIND: DestinationKind.LOCAL})
    prober.release()

    with pytest.raises(DestinationNotCheckable):
        await asking
    assert (await stage.row(id_))["reachability"] == "unknown"


async def test_a_destination_that_is_deleted_meanwhile_is_gone(stage: Stage) -> None:
    id_, prober = await stage.make(), HeldProber()
    checks = stage.checks(prober)
    asking = asyncio.create_task(checks.check(stage.viewer, id_, FULL))
    await until(lambda: prober.under_way == 1)

    await stage.service.delete(stage.viewer, id_)
    prober.release()

    with pytest.raises(DestinationNotFound):
        await asking
    assert await stage.checked() == []
    assert await checks.recheck(id_, on_behalf_of(stage.viewer.user_id, Protocol.SCHEDULER)) is None


async def test_a_check_that_nobody_waits_for_any_more_is_stored(stage: Stage) -> None:
    id_, prober = await stage.make(), HeldProber()
    asking = asyncio.create_task(stage.checks(prober).check(stage.viewer, id_, FULL))
    await until(lambda: prober.under_way == 1)

    asking.cancel()
    await asyncio.wait({asking})
    prober.release()

    async with asyncio.timeout(DEADLINE_S):
        while (row := await stage.row(id_))["reachability"] == "checking":  # noqa: ASYNC110 - no event announces it
            await asyncio.sleep(0.02)
    assert CheckReport.from_json(row["last_check"]).reachable
    assert await stage.checked() == [("graphql", True)]


async def test_a_check_that_finds_no_free_slot_waits_and_is_refused_in_the_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight at once in a process; the operator and the clock wait as long as it takes."""
    ids, prober = [await stage.make() for _ in range(MAX_RUNNING + 1)], HeldProber()
    checks = stage.checks(prober)
    first = [asyncio.create_task(checks.check(stage.viewer, id_, FULL)) for id_ in ids[:-1]]
    await until(lambda: prober.under_way == MAX_RUNNING)

    with monkeypatch.context() as hurry:
        hurry.setattr(module, "SLOT_WAIT_S", 0.05)
        with pytest.raises(TooManyAttempts):
            await checks.check(stage.viewer, ids[-1], FULL)
    assert (await stage.row(ids[-1]))["reachability"] == "unknown"

    patient = asyncio.create_task(checks.check(stage.viewer, ids[-1], FULL))
    await until(lambda: stage.asked == MAX_RUNNING + 2)
    prober.release(MAX_RUNNING + 1)
    await asyncio.gather(*first, patient)

    assert prober.most_at_once == MAX_RUNNING
    assert {(await stage.row(id_))["reachability"] for id_ in ids} == {"reachable"}
