"""A large backup goes on after a kill, in constant memory, and comes back as it was. In full, 5 GiB in a real Ceph."""

from __future__ import annotations

import filecmp
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.figures import FULL
from tests.support.gateway.backup_job import BackupJob
from tests.support.gateway.gateway import Gateway
from tests.support.stores.moto_store import MotoStore
from tests.support.stores.real.ceph_store import CephStore

PART_BYTES, PART_SIZE = (64 << 20, "64MiB") if FULL else (5 << 20, "5MiB")
PARTS = 80 if FULL else 8
FLAT_BYTES = 200 << 20
"""What the client may take, whatever the size of the file."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The URL of a store, a bucket in it, and the keys for it."""
    if not FULL:
        moto = MotoStore()
        try:
            name = moto.start().new_bucket(f"nightly-{uuid4().hex}")
            moto.allow_everything()  # it knows signatures of headers alone
            yield moto.url, name, {}
        finally:
            moto.stop()
        return
    (tmp_path / "ceph").mkdir()
    ceph = CephStore(tmp_path / "ceph", memory_bytes=8 << 30)
    try:
        keys, name = ceph.start().new_keys(), f"nightly-{uuid4().hex}"
        ceph.client(keys).create_bucket(Bucket=name)
        given = {"s3_access_key": keys.access_key.reveal(), "s3_secret_key": keys.secret_key.reveal()}
        yield ceph.url, name, given
    finally:
        ceph.stop()


def write_random(path: Path) -> None:
    """A file of `PARTS` parts and a bit, no two parts alike."""
    chance = random.Random(5)  # noqa: S311 - repeatable content, no secret
    block = chance.randbytes(PART_BYTES - 8)
    with path.open("wb") as file:
        for number in range(PARTS):
            file.write(number.to_bytes(8) + block)
        file.write(b"the end")


async def test_a_large_file_is_put_in_constant_memory_through_a_kill_and_comes_back(
    place: tuple[str, str, dict[str, str]], tmp_path: Path, figure: Callable[[str], None]
) -> None:
    url, bucket, keys = place
    gateway = Gateway(s3_allow="127.0.0.1").start()
    try:
        account = await gateway.new_user(["use-backup-destinations"])
        destination = await account.create(custom_s3_endpoint=url, s3_bucket_name=bucket, **keys)
        job = BackupJob(tmp_path, account, destination)
        write_random(tmp_path / "large")
        command = ("put", "large", "--part-size", PART_SIZE, "--parallel", "2")

        job.killed_after(PARTS // 4, *command)
        noted = job.noted_parts()
        began = time.monotonic()
        put_status, put_bytes = job.measured(*command)
        put_s, began = time.monotonic() - began, time.monotonic()
        get_status, get_bytes = job.measured("get", "large", "again", "--parallel", "2")
        get_s = time.monotonic() - began
        large, again = tmp_path / "large", tmp_path / "again"
        is_same = filecmp.cmp(large, again, shallow=False)
        size = large.stat().st_size
    finally:
        gateway.close()
        for name in ("large", "again"):
            (tmp_path / name).unlink(missing_ok=True)

    assert (put_status, get_status, is_same) == (0, 0, True)
    assert PARTS // 4 <= noted < PARTS
    assert max(put_bytes, get_bytes) < FLAT_BYTES
    figure(
        f"{size / (1 << 30):.2f} GiB in {PARTS + 1} parts, killed after {noted}: the rest put in {put_s:.0f} s with "
        f"{put_bytes >> 20} MiB, got in {get_s:.0f} s with {get_bytes >> 20} MiB"
    )
