"""Leaves the tests with restic, rclone and curl out where one of them is not installed; `make stores` installs them."""

from __future__ import annotations

import shutil

PROGRAMS = ("restic", "rclone", "curl")
collect_ignore = [] if all(map(shutil.which, PROGRAMS)) else ["test_real_clients.py"]
