"""A real Ceph for tests; those on it, or on a real Swift, are left out where that is missing: see `make stores`."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.stores.moto_store import Keys
from tests.support.stores.real import ceph_store, swift_store
from tests.support.stores.real.ceph_store import CephStore

collect_ignore = [
    *(
        []
        if ceph_store.is_installed()
        else ["test_prober_ceph.py", "presigning/test_wrong_uses.py", "presigning/test_backup_job.py"]
    ),
    *([] if swift_store.is_installed() else ["test_prober_swift.py"]),
]


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephStore]:
    """A Ceph of this test process's own; tests make users and buckets of their own."""
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
