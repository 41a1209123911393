"""Against a real Swift with its S3 API: right keys pass every step and leave nothing, wrong set-ups fail rightly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckStepName, CheckSuggestion
from tests.support.figures import amount
from tests.support.stores.probing import failure, outcomes
from tests.support.stores.real.set_ups import SET_UPS, Place
from tests.support.stores.real.swift_store import OWNER, STRANGER, SwiftStore

UNKNOWN_KEYS = ("an unknown access key", "an access key without its last letter", "the keys in each other's place")
TOLD = dict.fromkeys((*UNKNOWN_KEYS, "temporary keys"), CheckCode.SIGNATURE_MISMATCH)
"""Swift verifies keys in its authentication, which does not say whether it knows the user."""


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftStore]:
    """A Swift of this module's own."""
    store = SwiftStore(tmp_path_factory.mktemp("swift"))
    try:
        yield store.start()
    finally:
        store.stop()


@pytest.fixture
def place(swift: SwiftStore) -> Place:
    """A new bucket of its owner's."""
    return Place(port=swift.port, bucket=swift.new_bucket(), keys=OWNER)


@pytest.fixture(scope="module")
def shared(swift: SwiftStore) -> Place:
    """One bucket for many checks that find fault."""
    return Place(port=swift.port, bucket=swift.new_bucket(), keys=OWNER)


@pytest.mark.parametrize("check_prefix", [None, "team-a/laptops"])
async def test_right_keys_pass_every_step_and_leave_nothing(
    check_prefix: str | None, swift: SwiftStore, place: Place
) -> None:
    report = await place.check(CheckDepth.MULTIPART, check_prefix=check_prefix)

    assert outcomes(report) == "PPSPPPPPPP"
    assert (report.takes_backups, report.facts.can_delete) == (True, True)
    assert swift.versions_in(place.bucket) == []
    assert swift.client().list_multipart_uploads(Bucket=place.bucket).get("Uploads", []) == []


@pytest.mark.parametrize("name", SET_UPS)
async def test_a_wrong_set_up_gets_its_step_code_and_remedy(name: str, shared: Place) -> None:
    await SET_UPS[name].require(shared, TOLD.get(name))


def test_the_wrong_set_ups_left_nothing(swift: SwiftStore, shared: Place) -> None:
    assert swift.versions_in(shared.bucket) == []


async def test_keys_without_rights_and_a_wrong_region_are_told(place: Place) -> None:
    without = await place.check(access_key=STRANGER.access_key, secret_key=STRANGER.secret_key)
    elsewhere = await place.check(region="eu-west-1")

    assert failure(without) == (CheckStepName.LIST, CheckCode.ACCESS_DENIED)
    assert failure(elsewhere) == (CheckStepName.BUCKET, CheckCode.WRONG_REGION)
    assert elsewhere.suggestion == CheckSuggestion(region="us-east-1")


async def test_checks_of_a_bucket_that_keeps_versions_leave_it_empty(swift: SwiftStore, place: Place) -> None:
    swift.client().put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration={"Status": "Enabled"})

    reports = [await place.check() for _ in range(amount(5, 50))]

    assert {outcomes(report) for report in reports} == {"PPSPPPPPP"}
    assert {report.facts.keeps_versions for report in reports} == {True}
    assert swift.versions_in(place.bucket) == []
