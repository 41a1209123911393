"""Leaves the tests on a real Ceph out where it is not installed; `make stores` installs it."""

from __future__ import annotations

from tests.support.stores.ceph_store import is_installed

collect_ignore = [] if is_installed() else ["test_prober_ceph.py"]
