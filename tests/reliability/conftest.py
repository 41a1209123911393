"""Leaves the tests of clocks that are set out where there is no libfaketime: see `make faketime`."""

from __future__ import annotations

from tests.support.clocks import provide

collect_ignore = [] if provide.library() is not None else ["test_set_clocks.py"]
