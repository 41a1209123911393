"""Leaves tests out where there is no libfaketime (see `make faketime`), or no right to mount a small disk."""

from __future__ import annotations

from tests.support.clocks import provide
from tests.support.databases import small_disk

collect_ignore = [
    *([] if provide.library() is not None else ["test_set_clocks.py"]),
    *([] if small_disk.can_mount() else ["test_full_disk_postgresql.py"]),
]
