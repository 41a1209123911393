"""Against a real Ceph: right keys pass every step and leave nothing, wrong set-ups fail at the right step."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckStepName, CheckSuggestion, ProbeTarget
from tests.support import figures
from tests.support.stores.moto_store import Keys
from tests.support.stores.probing import TableResolver, failure, outcomes, prober, target
from tests.support.stores.real.ceph_store import CephStore
from tests.support.stores.real.set_ups import SET_UPS, Place

AUTHENTICATE, LIST = CheckStepName.AUTHENTICATE, CheckStepName.LIST
AMPLE_S = 60.0
"""No check here waits in vain, and the machine may be busy."""
WRITE, DELETE = CheckStepName.WRITE, CheckStepName.DELETE


@pytest.fixture(scope="module")
def shared(ceph: CephStore) -> Place:
    """One bucket for many checks that find fault."""
    keys, name = ceph.new_keys(), f"nightly-{uuid4().hex}"
    ceph.client(keys).create_bucket(Bucket=name)
    return Place(port=ceph.port, bucket=name, keys=keys)


def at(ceph: CephStore, bucket: str, keys: Keys, **changes: Any) -> ProbeTarget:
    values = {"bucket_name": bucket, "access_key": keys.access_key, "secret_key": keys.secret_key, **changes}
    return target(changes.pop("endpoint", ceph.url), **{k: v for k, v in values.items() if k != "endpoint"})


@pytest.mark.parametrize("path_style", [True, False])
async def test_good_keys_pass_every_step_and_leave_nothing(
    path_style: bool, ceph: CephStore, keys: Keys, bucket: str
) -> None:
    names = TableResolver(dict.fromkeys(("store.test", f"{bucket}.store.test"), ("127.0.0.1",)))
    there = at(ceph, bucket, keys, endpoint=f"http://store.test:{ceph.port}", path_style=path_style)

    report = await prober(resolver=names, deadline_s=AMPLE_S).probe(there, CheckDepth.MULTIPART)

    assert outcomes(report) == "PPSPPPPPPP"
    assert (report.takes_backups, report.facts.can_delete, report.facts.keeps_versions) == (True, True, False)
    assert ceph.versions_in(keys, bucket) == []
    assert ceph.client(keys).list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def denying(*actions: str) -> Callable[[CephStore, Keys, str], None]:
    """A policy of the bucket that denies its owner these actions."""

    def set_up(ceph: CephStore, keys: Keys, bucket: str) -> None:
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        statement = {"Effect": "Deny", "Principal": "*", "Action": list(actions), "Resource": resources}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        ceph.client(keys).put_bucket_policy(Bucket=bucket, Policy=policy)

    return set_up


def suspended(ceph: CephStore, keys: Keys, _bucket: str) -> None:
    ceph.admin("user", "suspend", f"--uid={ceph.user_of(keys)}")


def full(ceph: CephStore, keys: Keys, _bucket: str) -> None:
    user = f"--uid={ceph.user_of(keys)}"
    ceph.admin("quota", "set", "--quota-scope=user", user, "--max-objects=0")
    ceph.admin("quota", "enable", "--quota-scope=user", user)


BUCKETS = {
    "no right to list": (denying("s3:ListBucket"), LIST, CheckCode.ACCESS_DENIED),
    "no right to write": (denying("s3:PutObject"), WRITE, CheckCode.ACCESS_DENIED),
    "no right to read": (denying("s3:GetObject"), CheckStepName.READ, CheckCode.ACCESS_DENIED),
    "no right to delete": (denying("s3:DeleteObject"), DELETE, CheckCode.ACCESS_DENIED),
    "a suspended user": (suspended, AUTHENTICATE, CheckCode.ACCOUNT_DISABLED),
    "a quota that is used up": (full, WRITE, CheckCode.STORAGE_FULL),
}


@pytest.mark.parametrize("name", BUCKETS)
async def test_a_bucket_that_takes_no_backups_fails_at_its_step(
    name: str, ceph: CephStore, keys: Keys, bucket: str
) -> None:
    set_up, step, code = BUCKETS[name]
    set_up(ceph, keys, bucket)

    reports = [await prober(deadline_s=AMPLE_S).probe(at(ceph, bucket, keys), CheckDepth.FULL) for _ in range(2)]

    assert {failure(report) for report in reports} == {(step, code)}


@pytest.mark.parametrize("name", SET_UPS)
async def test_a_wrong_set_up_gets_its_step_code_and_remedy(name: str, shared: Place) -> None:
    await SET_UPS[name].require(shared)


def test_the_wrong_set_ups_left_nothing(ceph: CephStore, shared: Place) -> None:
    assert ceph.versions_in(shared.keys, shared.bucket) == []


async def test_the_endpoint_without_the_bucket_is_suggested(ceph: CephStore, keys: Keys, bucket: str) -> None:
    report = await prober(deadline_s=AMPLE_S).probe(
        at(ceph, bucket, keys, endpoint=f"{ceph.url}/{bucket}"), CheckDepth.FULL
    )

    assert report.suggestion == CheckSuggestion(endpoint=ceph.url)


async def test_many_checks_without_the_right_to_delete_leave_one_object(
    ceph: CephStore, keys: Keys, bucket: str
) -> None:
    denying("s3:DeleteObject")(ceph, keys, bucket)

    for _ in range(figures.amount(10, 50)):
        report = await prober(deadline_s=AMPLE_S).probe(at(ceph, bucket, keys), CheckDepth.FULL)

    assert (report.takes_backups, report.facts.can_delete) == (True, False)
    assert len(ceph.versions_in(keys, bucket)) == 1


async def test_a_bucket_with_versions_is_left_empty_and_one_with_locks_is_recognised(
    ceph: CephStore, keys: Keys
) -> None:
    client = ceph.client(keys)
    versioned, locked = f"versioned-{uuid4().hex}", f"locked-{uuid4().hex}"
    client.create_bucket(Bucket=versioned)
    client.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Enabled"})
    client.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    retention = {"Mode": "COMPLIANCE", "Days": 1}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    client.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=configuration)

    first, second = [
        await prober(deadline_s=AMPLE_S).probe(at(ceph, name, keys), CheckDepth.FULL) for name in (versioned, locked)
    ]

    assert (first.reachable, first.facts.keeps_versions, first.leaves_objects) == (True, True, False)
    assert ceph.versions_in(keys, versioned) == []
    assert (second.reachable, second.facts.keeps_versions, second.leaves_objects) == (True, True, True)
