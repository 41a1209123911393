"""Against a real Ceph, which verifies what signatures bind: `moorings backup` by grants that soon run out."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway.backup_job import BackupJob
from tests.support.gateway.gateway import Gateway
from tests.support.stores.moto_store import Keys
from tests.support.stores.real.ceph_store import CephStore

PART = 5 << 20
CONTENT = random.Random(9).randbytes(2 * PART + 4_321)  # noqa: S311 - repeatable content, no secret
LIFETIME_S = 2


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway whose grants are over soon."""
    gateway = Gateway(s3_allow="127.0.0.1", grant_max_age=f"{LIFETIME_S}s").start()
    yield gateway
    gateway.close()


async def test_a_stream_that_outlives_its_grants_is_put_and_a_file_too(
    gateway: Gateway, ceph: CephStore, keys: Keys, bucket: str, tmp_path: Path
) -> None:
    """The last part is shorter than those it was granted with; the bytes come slower than grants run out."""
    account = await gateway.new_user(["use-backup-destinations"])
    given = {"s3_access_key": keys.access_key.reveal(), "s3_secret_key": keys.secret_key.reveal()}
    destination = await account.create(custom_s3_endpoint=ceph.url, s3_bucket_name=bucket, **given)
    job = BackupJob(tmp_path, account, destination)
    (tmp_path / "file").write_bytes(CONTENT)

    process = job.start("put", "-", "--key", "stream", "--part-size", "5MiB", stdin=subprocess.PIPE)
    assert process.stdin is not None
    for start in range(0, len(CONTENT), PART):
        process.stdin.write(CONTENT[start : start + PART])
        process.stdin.flush()
        time.sleep(LIFETIME_S * 0.75)  # noqa: ASYNC251 - the time is what the test is about
    process.stdin.close()
    put = job.done("put", "file", "--part-size", "5MiB")
    got = job.run("get", "stream", "-")

    assert process.wait() == 0
    assert (put["parts"], put["verified"]) == (3, True)
    assert (got.returncode, got.stdout) == (0, CONTENT)
    listed = ceph.client(keys).list_objects_v2(Bucket=bucket)["Contents"]
    assert len({entry["ETag"] for entry in listed}) == 1
