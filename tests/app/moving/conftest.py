"""A full disk can be had where this process may mount one."""

from __future__ import annotations

from tests.support.databases import small_disk

collect_ignore = [] if small_disk.can_mount() else ["test_full_disk.py"]
