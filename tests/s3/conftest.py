"""Leaves the tests on a real Ceph and a real Swift out where they are not installed; `make stores` installs them."""

from __future__ import annotations

from tests.support.stores.real import ceph_store, swift_store

collect_ignore = [
    *([] if ceph_store.is_installed() else ["test_prober_ceph.py"]),
    *([] if swift_store.is_installed() else ["test_prober_swift.py"]),
]
