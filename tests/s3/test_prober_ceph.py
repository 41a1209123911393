"""Against a real Ceph: right keys pass every step and leave nothing, wrong set-ups fail at the right step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from models.checks.report import CheckCode, CheckDepth, CheckStepName, CheckSuggestion, ProbeTarget
from models.vault.secret import Secret
from tests.support.stores.ceph_store import CephStore
from tests.support.stores.moto_store import Keys
from tests.support.stores.probing import TableResolver, failure, outcomes, prober, target

AUTHENTICATE, BUCKET, LIST = CheckStepName.AUTHENTICATE, CheckStepName.BUCKET, CheckStepName.LIST
AMPLE_S = 60.0
"""No check here waits in vain, and the machine may be busy."""
WRITE, DELETE, RESOLVE = CheckStepName.WRITE, CheckStepName.DELETE, CheckStepName.RESOLVE


@pytest.fixture(scope="module")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephStore]:
    """A Ceph of this module's own; tests make users and buckets of their own."""
    store = CephStore(tmp_path_factory.mktemp("ceph"))
    try:
        yield store.start()
    finally:
        store.stop()


@pytest.fixture
def keys(ceph: CephStore) -> Keys:
    """The keys of a new user."""
    return ceph.new_keys()


@pytest.fixture
def bucket(ceph: CephStore, keys: Keys) -> str:
    """An empty bucket of that user."""
    name = f"nightly-{uuid4().hex}"
    ceph.client(keys).create_bucket(Bucket=name)
    return name


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


SET_UPS = {
    "no right to list": (denying("s3:ListBucket"), LIST, CheckCode.ACCESS_DENIED),
    "no right to write": (denying("s3:PutObject"), WRITE, CheckCode.ACCESS_DENIED),
    "no right to read": (denying("s3:GetObject"), CheckStepName.READ, CheckCode.ACCESS_DENIED),
    "no right to delete": (denying("s3:DeleteObject"), DELETE, CheckCode.ACCESS_DENIED),
    "a suspended user": (suspended, AUTHENTICATE, CheckCode.ACCOUNT_DISABLED),
    "a quota that is used up": (full, WRITE, CheckCode.STORAGE_FULL),
}


@pytest.mark.parametrize("name", SET_UPS)
async def test_a_bucket_that_takes_no_backups_fails_at_its_step(
    name: str, ceph: CephStore, keys: Keys, bucket: str
) -> None:
    set_up, step, code = SET_UPS[name]
    set_up(ceph, keys, bucket)

    reports = [await prober(deadline_s=AMPLE_S).probe(at(ceph, bucket, keys), CheckDepth.FULL) for _ in range(2)]

    assert {failure(report) for report in reports} == {(step, code)}


CHANGES: dict[str, tuple[dict[str, Any], CheckStepName, CheckCode]] = {
    "an unknown access key": ({"access_key": Secret("NOBODYEXAMPLE")}, AUTHENTICATE, CheckCode.INVALID_ACCESS_KEY),
    "another secret key": ({"secret_key": Secret("hunter22")}, AUTHENTICATE, CheckCode.SIGNATURE_MISMATCH),
    "a missing bucket": ({"bucket_name": "missing"}, BUCKET, CheckCode.NO_SUCH_BUCKET),
    "an impossible bucket": ({"bucket_name": "a/b"}, BUCKET, CheckCode.NO_SUCH_BUCKET),
    "an access key with a space": ({"access_key": Secret("A B")}, AUTHENTICATE, CheckCode.INVALID_ACCESS_KEY),
    "a host without an address": ({"endpoint": "http://nowhere.test"}, RESOLVE, CheckCode.DNS_FAILURE),
    "a URL with a query": ({"endpoint": "http://127.0.0.1/?x"}, RESOLVE, CheckCode.ENDPOINT_INVALID),
    "a region that is none": ({"region": "a b"}, RESOLVE, CheckCode.WRONG_REGION),
    "an address that is not allowed": ({"endpoint": "http://10.0.0.1"}, RESOLVE, CheckCode.ENDPOINT_NOT_ALLOWED),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_target_with_a_wrong_value_fails_at_its_step(
    name: str, ceph: CephStore, keys: Keys, bucket: str
) -> None:
    changes, step, code = CHANGES[name]

    report = await prober(deadline_s=AMPLE_S).probe(at(ceph, bucket, keys, **changes), CheckDepth.FULL)

    assert failure(report) == (step, code)
    assert ceph.versions_in(keys, bucket) == []


async def test_https_to_a_port_of_plain_http_fails_at_tls(ceph: CephStore, keys: Keys, bucket: str) -> None:
    report = await prober(deadline_s=AMPLE_S).probe(
        at(ceph, bucket, keys, endpoint=f"https://127.0.0.1:{ceph.port}"), CheckDepth.FULL
    )

    assert failure(report) == (CheckStepName.TLS, CheckCode.TLS_FAILED)


async def test_the_endpoint_without_the_bucket_is_suggested(ceph: CephStore, keys: Keys, bucket: str) -> None:
    report = await prober(deadline_s=AMPLE_S).probe(
        at(ceph, bucket, keys, endpoint=f"{ceph.url}/{bucket}"), CheckDepth.FULL
    )

    assert report.suggestion == CheckSuggestion(endpoint=ceph.url)


async def test_fifty_checks_without_the_right_to_delete_leave_one_object(
    ceph: CephStore, keys: Keys, bucket: str
) -> None:
    denying("s3:DeleteObject")(ceph, keys, bucket)

    for _ in range(50):
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
