"""Against a real S3-speaking server that verifies signatures and rights: every step runs, and nothing is left."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckStepName, CheckSuggestion, ProbeTarget
from models.vault.secret import Secret
from tests.support.paths import ROOT
from tests.support.stores.moto_store import Keys, MotoStore
from tests.support.stores.probing import TableResolver, failure, outcomes, prober, target
from tests.support.stores.real.set_ups import SET_UPS, Place

LIST, WRITE, READ, DELETE = "s3:ListBucket", "s3:PutObject", "s3:GetObject", "s3:DeleteObject"
ALL = (LIST, WRITE, READ, DELETE)
STORE = "store.test"
DOCUMENTATION = (ROOT / "docs/check.md").read_text(encoding="utf-8")


@pytest.fixture
def bucket(moto_store: MotoStore) -> str:
    """An empty bucket, whose name can stand in a host name."""
    return moto_store.new_bucket(f"nightly-{uuid4().hex}")


def at(store: MotoStore, bucket: str, keys: Keys, *, path_style: bool = True) -> ProbeTarget:
    """The bucket in one of both styles; moto reads the bucket from any host name but an address."""
    endpoint = store.url if path_style else f"http://{STORE}:{store.port}"
    return target(
        endpoint,
        bucket_name=bucket,
        path_style=path_style,
        access_key=keys.access_key,
        secret_key=keys.secret_key,
    )


def resolver(bucket: str) -> TableResolver:
    return TableResolver({f"{bucket}.{STORE}": ["127.0.0.1"]})


@pytest.mark.parametrize("path_style", [True, False])
async def test_good_keys_pass_every_step_and_leave_nothing(
    path_style: bool, moto_store: MotoStore, bucket: str
) -> None:
    there = at(moto_store, bucket, moto_store.new_keys(*ALL), path_style=path_style)

    report = await prober(resolver=resolver(bucket)).probe(there, CheckDepth.FULL)

    assert outcomes(report) == "PPSPPPPPP"
    assert report.reachable
    assert report.suggestion is None
    assert moto_store.keys_in(bucket) == []


@pytest.mark.parametrize("name", SET_UPS)
async def test_a_wrong_set_up_gets_its_step_code_and_remedy(name: str, moto_store: MotoStore, bucket: str) -> None:
    await SET_UPS[name].require(
        Place(port=moto_store.port, bucket=bucket, keys=moto_store.new_keys(*ALL), host="localhost")
    )

    assert moto_store.keys_in(bucket) == []


async def test_the_rights_that_the_documentation_grants_suffice_for_that_bucket_alone(
    moto_store: MotoStore, bucket: str
) -> None:
    other = moto_store.new_bucket(f"other-{uuid4().hex}")
    (policy,) = re.findall(r"```json\n(.*?)```", DOCUMENTATION, re.DOTALL)
    keys = moto_store.keys_with(policy.replace("my-backups", bucket))

    assert (await prober().probe(at(moto_store, bucket, keys), CheckDepth.FULL)).reachable
    assert failure(await prober().probe(at(moto_store, other, keys), CheckDepth.FULL)) == (
        CheckStepName.LIST,
        CheckCode.ACCESS_DENIED,
    )


async def test_a_read_only_check_ends_with_the_listing(moto_store: MotoStore, bucket: str) -> None:
    there = at(moto_store, bucket, moto_store.new_keys(LIST))

    report = await prober().probe(there, CheckDepth.READ_ONLY)

    assert outcomes(report) == "PPSPPPSSS"
    assert report.reachable


@pytest.mark.parametrize("path_style", [True, False])
@pytest.mark.parametrize(
    ("granted", "step"),
    [
        ((WRITE, READ, DELETE), CheckStepName.LIST),
        ((LIST, READ, DELETE), CheckStepName.WRITE),
        ((LIST, WRITE, DELETE), CheckStepName.READ),
    ],
)
async def test_a_missing_right_fails_at_its_step_and_leaves_nothing(
    granted: tuple[str, ...], step: CheckStepName, path_style: bool, moto_store: MotoStore, bucket: str
) -> None:
    there = at(moto_store, bucket, moto_store.new_keys(*granted), path_style=path_style)

    report = await prober(resolver=resolver(bucket)).probe(there, CheckDepth.FULL)

    assert failure(report) == (step, CheckCode.ACCESS_DENIED)
    assert report.takes_backups is (step is not CheckStepName.WRITE)
    assert moto_store.keys_in(bucket) == []


async def test_keys_that_may_only_write_take_backups_and_leave_one_object(moto_store: MotoStore, bucket: str) -> None:
    there = at(moto_store, bucket, moto_store.new_keys(WRITE))

    reports = [await prober().probe(there, CheckDepth.FULL) for _ in range(3)]

    assert {outcomes(report) for report in reports} == {"PPSPPFPFF"}
    assert {(report.takes_backups, report.facts.can_delete) for report in reports} == {(True, False)}
    assert len(moto_store.keys_in(bucket)) == 1


async def test_a_store_that_denies_everything_proves_neither_the_keys_nor_the_bucket(
    moto_store: MotoStore, bucket: str
) -> None:
    report = await prober().probe(at(moto_store, bucket, moto_store.new_keys("s3:ListAllMyBuckets")), CheckDepth.FULL)

    assert outcomes(report) == "PPSSSFFSS"


async def test_keys_that_may_not_delete_fail_at_that_step(moto_store: MotoStore, bucket: str) -> None:
    there = at(moto_store, bucket, moto_store.new_keys(LIST, WRITE, READ))

    report = await prober().probe(there, CheckDepth.FULL)

    assert failure(report) == (CheckStepName.DELETE, CheckCode.ACCESS_DENIED)
    assert [key.split("/")[0] for key in moto_store.keys_in(bucket)] == [".moorings-check"]


@pytest.mark.parametrize("path_style", [True, False])
async def test_a_wrong_secret_fails_to_authenticate(path_style: bool, moto_store: MotoStore, bucket: str) -> None:
    keys = Keys(moto_store.new_keys(*ALL).access_key, Secret("hunter22"))

    report = await prober(resolver=resolver(bucket)).probe(
        at(moto_store, bucket, keys, path_style=path_style), CheckDepth.FULL
    )

    assert failure(report) == (CheckStepName.AUTHENTICATE, CheckCode.SIGNATURE_MISMATCH)
    assert report.suggestion is None


async def test_an_unknown_key_fails_to_authenticate(moto_store: MotoStore, bucket: str) -> None:
    report = await prober().probe(
        at(moto_store, bucket, Keys(Secret("AKIANOBODY"), Secret("hunter22"))), CheckDepth.FULL
    )

    assert failure(report) == (CheckStepName.AUTHENTICATE, CheckCode.INVALID_ACCESS_KEY)


@pytest.mark.parametrize("path_style", [True, False])
async def test_a_bucket_that_is_missing_is_reported_as_that(path_style: bool, moto_store: MotoStore) -> None:
    missing = f"missing-{uuid4().hex}"
    there = at(moto_store, missing, moto_store.new_keys("s3:*"), path_style=path_style)

    report = await prober(resolver=resolver(missing)).probe(there, CheckDepth.FULL)

    assert failure(report) == (CheckStepName.BUCKET, CheckCode.NO_SUCH_BUCKET)
    assert outcomes(report)[3] == "P"
    assert report.suggestion is None


async def test_nothing_is_left_in_a_bucket_that_keeps_versions(moto_store: MotoStore, bucket: str) -> None:
    moto_store.keep_versions(bucket)
    there = at(moto_store, bucket, moto_store.new_keys("s3:*"))

    report = await prober().probe(there, CheckDepth.FULL)

    assert report.reachable
    assert moto_store.keys_in(bucket) == []


async def test_a_bucket_whose_host_does_not_resolve_is_suggested_in_path_style(
    moto_store: MotoStore, bucket: str
) -> None:
    """`localhost` is a host to which moto does not listen for buckets in front of it."""
    keys = moto_store.new_keys(*ALL)
    there = target(
        f"http://localhost:{moto_store.port}",
        bucket_name=bucket,
        path_style=False,
        access_key=keys.access_key,
        secret_key=keys.secret_key,
    )
    names = TableResolver({"localhost": ["127.0.0.1"]})

    report = await prober(resolver=names).probe(there, CheckDepth.FULL)

    assert failure(report) == (CheckStepName.RESOLVE, CheckCode.DNS_FAILURE)
    assert report.suggestion == CheckSuggestion(path_style_endpoint=True)
    assert moto_store.keys_in(bucket) == []


async def test_an_upload_in_parts_is_begun_and_aborted(moto_store: MotoStore, bucket: str) -> None:
    keys = moto_store.new_keys(*ALL, "s3:AbortMultipartUpload")

    report = await prober().probe(at(moto_store, bucket, keys), CheckDepth.MULTIPART)

    assert outcomes(report) == "PPSPPPPPPP"
    assert moto_store.keys_in(bucket) == []
    assert moto_store.uploads_in(bucket) == 0
