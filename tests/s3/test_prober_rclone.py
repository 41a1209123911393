"""Against `rclone serve s3`: right keys pass every step and leave nothing, wrong set-ups fail rightly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckStepName
from tests.support.stores.probing import failure, outcomes
from tests.support.stores.real.rclone_store import OWNER, RcloneStore
from tests.support.stores.real.set_ups import SET_UPS, Place


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneStore]:
    """An rclone of this module's own."""
    store = RcloneStore(tmp_path_factory.mktemp("rclone"))
    try:
        yield store.start()
    finally:
        store.stop()


@pytest.fixture
def place(rclone: RcloneStore) -> Place:
    """A new bucket."""
    return Place(port=rclone.port, bucket=rclone.new_bucket(), keys=OWNER)


@pytest.mark.parametrize("check_prefix", [None, "team-a/laptops"])
async def test_right_keys_pass_every_step_and_leave_nothing(
    check_prefix: str | None, rclone: RcloneStore, place: Place
) -> None:
    report = await place.check(CheckDepth.MULTIPART, check_prefix=check_prefix)

    assert outcomes(report) == "PPSPPPPPPP"
    assert (report.takes_backups, report.facts.can_delete) == (True, True)
    assert rclone.files_in(place.bucket) == []


@pytest.mark.parametrize("name", SET_UPS)
async def test_a_wrong_set_up_gets_its_step_code_and_remedy(name: str, rclone: RcloneStore, place: Place) -> None:
    await SET_UPS[name].require(place)

    assert rclone.files_in(place.bucket) == []


async def test_a_store_that_only_reads_takes_no_backups(rclone: RcloneStore, place: Place) -> None:
    """And nothing is left in it, however often it is checked."""
    only_reads = RcloneStore(rclone.directory, "--read-only")
    try:
        there = Place(port=only_reads.start().port, bucket=place.bucket, keys=OWNER)
        reports = [await there.check() for _ in range(3)]
    finally:
        only_reads.stop()

    assert {failure(report) for report in reports} == {(CheckStepName.WRITE, CheckCode.STORE_UNAVAILABLE)}
    assert {report.takes_backups for report in reports} == {False}
    assert rclone.files_in(place.bucket) == []
