"""Leaves tests out where there is no libfaketime (see `make faketime`), or no right to mount a small disk.

Those of Patroni run in full only, where it is installed: see `make failover`.
"""

from __future__ import annotations

from tests.support import figures
from tests.support.clocks import provide
from tests.support.databases import patroni_cluster, small_disk

collect_ignore = [
    *([] if provide.library() is not None else ["test_set_clocks.py"]),
    *([] if small_disk.can_mount() else ["test_full_disk_postgresql.py"]),
    *([] if figures.FULL and patroni_cluster.is_installed() else ["test_patroni.py"]),
]
