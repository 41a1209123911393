"""Only `make containers` runs these: it builds the images, and gives the tests a network namespace of their own."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("MOORINGS_CONTAINERS") == "1" else ["test_*.py"]
